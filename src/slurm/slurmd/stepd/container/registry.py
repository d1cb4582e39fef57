"""Images from registries that speak the OCI distribution protocol (Docker Hub, NGC, Quay, Harbor, a registry on loopback …).

What comes is taken for what it is called by: every manifest and layer is checked against its SHA-256. Runs as the user, with his
credentials: enroot's `.credentials`, `~/.netrc`, `~/.docker/config.json`. Unpacking layers is `layers`' work.
"""

from __future__ import annotations

import base64
import codecs
import hashlib
import json
import netrc
import os
import platform
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any, BinaryIO, NamedTuple

from slurm.notation.container import HUB, Image
from slurm.slurmd.stepd.container.root import CannotBuild

_SECONDS = 60.0
_LONGEST_MANIFEST = 4 << 20
_LONGEST_LAYER = 1 << 40
_CHUNK = 1 << 20
_MOST_LAYERS = 500
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.docker.distribution.manifest.v2+json")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "ppc64le": "ppc64le", "s390x": "s390x", "riscv64": "riscv64"}
_CHALLENGE = re.compile(r'([a-z_]+)="([^"]*)"')
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LOADED = [codecs.lookup(name) for name in ("ascii", "latin-1", "idna")]
"""What speaking HTTP would load, as somebody who may not be able to read where Python is."""
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class Layer(NamedTuple):
    """One layer: where it is from, and how it is packed (tar, tar+gzip, tar+zstd)."""

    digest: str
    size: int
    kind: str


class Manifest(NamedTuple):
    """An image as its registry describes it."""

    digest: str
    config: Mapping[str, Any]
    layers: tuple[Layer, ...]


class Registry:
    """One repository of a registry, spoken to as somebody. OSError of any kind means that it could not be reached."""

    def __init__(self, image: Image, environ: Mapping[str, str]) -> None:
        self._image = image
        self._host = image.registry or HUB
        scheme = "http" if self._host.partition(":")[0] in _LOOPBACK or self._host.startswith("[::1]") else "https"
        name = image.name if "/" in image.name or image.registry else f"library/{image.name}"
        self._base = f"{scheme}://{self._host}/v2/{name}"
        self._login = _login(self._host, image.user, environ)
        self._authorization = ""

    def manifest(self) -> Manifest:
        """What the image is made of on this machine's architecture. CannotBuild."""
        digest, found = self._document(f"{self._base}/manifests/{self._image.digest or self._image.tag}", self._image.digest)
        if "manifests" in found:
            digest = _of_this_machine(found["manifests"], self._image)
            digest, found = self._document(f"{self._base}/manifests/{digest}", digest)
        try:
            layers = tuple(Layer(_digest(one["digest"]), int(one["size"]), str(one.get("mediaType", ""))) for one in found["layers"])
            about = _digest(found["config"]["digest"])
        except (KeyError, TypeError, ValueError) as error:
            raise CannotBuild(f"{self._image}: its registry describes no image of version 2: {error!r}") from error
        if len(layers) > _MOST_LAYERS:
            raise CannotBuild(f"{self._image} has {len(layers)} layers, {_MOST_LAYERS} at most are taken")
        return Manifest(digest, self._document(f"{self._base}/blobs/{about}", about)[1], layers)

    def fetch(self, layer: Layer, into: BinaryIO) -> None:
        """Write a layer to a file, and check that it is what it is called. CannotBuild."""
        if layer.size > _LONGEST_LAYER:
            raise CannotBuild(f"{self._image}: a layer of {layer.size} bytes")
        seen, length = hashlib.sha256(), 0
        with self._open(f"{self._base}/blobs/{layer.digest}") as answer:
            while chunk := answer.read(_CHUNK):
                length += len(chunk)
                if length > layer.size:
                    break
                seen.update(chunk)
                into.write(chunk)
        if length != layer.size or f"sha256:{seen.hexdigest()}" != layer.digest:
            raise CannotBuild(f"{self._image}: what {self._host} gives as {layer.digest} is something else")

    def _document(self, url: str, digest: str) -> tuple[str, dict[str, Any]]:
        with self._open(url) as answer:
            text = answer.read(_LONGEST_MANIFEST + 1)
        own = f"sha256:{hashlib.sha256(text).hexdigest()}"
        if len(text) > _LONGEST_MANIFEST or (digest and own != digest):
            raise CannotBuild(f"{self._image}: what {self._host} gives as {digest or url} is something else")
        try:
            found = json.loads(text)
        except ValueError as error:
            raise CannotBuild(f"{self._image}: {self._host} is no registry: {error}") from error
        if not isinstance(found, dict):
            raise CannotBuild(f"{self._image}: {self._host} is no registry")
        return own, found

    def _open(self, url: str) -> Any:
        try:
            return self._ask(url)
        except urllib.error.HTTPError as error:
            if error.code != 401 or self._authorization:
                raise self._refused(error) from error
            self._authorization = self._authorized(error.headers.get("WWW-Authenticate", ""))
        try:
            return self._ask(url)
        except urllib.error.HTTPError as error:
            raise self._refused(error) from error

    def _ask(self, url: str) -> Any:
        request = urllib.request.Request(url, headers={"Accept": ", ".join(_MANIFESTS) if "/manifests/" in url else "*/*"})
        if self._authorization:
            request.add_unredirected_header("Authorization", self._authorization)  # not for the store that it may send us to
        return _answer(request, self._host)

    def _authorized(self, challenge: str) -> str:
        kind, _, rest = challenge.partition(" ")
        said = dict(_CHALLENGE.findall(rest))
        basic = "Basic " + base64.b64encode(":".join(self._login).encode()).decode() if self._login else ""
        if kind.lower() == "basic" and basic:
            return basic
        if kind.lower() != "bearer" or "realm" not in said:
            raise CannotBuild(f"{self._image}: {self._host} wants a login: put it into ~/.config/enroot/.credentials or "
                              "~/.docker/config.json")
        if urllib.parse.urlsplit(said["realm"]).scheme != "https" and self._base.startswith("https"):
            raise CannotBuild(f"{self._image}: {self._host} sends for a token to {said['realm']}, which is not secured")
        query = urllib.parse.urlencode({name: said[name] for name in ("service", "scope") if name in said})
        request = urllib.request.Request(f"{said['realm']}{'&' if '?' in said['realm'] else '?'}{query}")
        if basic:
            request.add_unredirected_header("Authorization", basic)
        try:
            with _answer(request, said["realm"]) as answer:
                told = json.loads(answer.read(_LONGEST_MANIFEST))
        except urllib.error.HTTPError as error:
            raise self._refused(error) from error
        return f"Bearer {told.get('token') or told.get('access_token') or ''}"

    def _refused(self, error: urllib.error.HTTPError) -> CannotBuild:
        why = {401: "the login is not good", 403: "that is not allowed", 404: "there is no such image", 429: "too many were pulled"}
        return CannotBuild(f"{self._image}: {self._host} answers {error.code}: {why.get(error.code, error.reason)}")


def _answer(request: urllib.request.Request, host: str) -> Any:
    if urllib.parse.urlsplit(request.full_url).scheme not in ("http", "https"):
        raise CannotBuild(f"{request.full_url} is no address of a registry")
    try:
        return urllib.request.urlopen(request, timeout=_SECONDS)  # noqa: S310 - looked at above
    except urllib.error.HTTPError:
        raise
    except urllib.error.URLError as error:
        raise CannotBuild(f"{host} cannot be reached: {getattr(error.reason, 'strerror', None) or error.reason}") from error


def _of_this_machine(manifests: list[dict[str, Any]], image: Image) -> str:
    wanted = _ARCHITECTURES.get(platform.machine(), platform.machine())
    there = []
    for one in manifests:
        place = one.get("platform", {})
        if place.get("os", "linux") == "linux" and place.get("architecture") == wanted:
            return _digest(one["digest"])
        there.append(f"{place.get('os')}/{place.get('architecture')}")
    raise CannotBuild(f"{image}: there is none for linux/{wanted}, only for {', '.join(sorted(set(there)))}")


def _digest(text: object) -> str:
    if not isinstance(text, str) or _DIGEST.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no SHA-256 digest")
    return text


def _login(host: str, user: str, environ: Mapping[str, str]) -> tuple[str, str] | None:
    """(name, password) for a registry, of one who is to be `user` where that is not ""; None where nobody told any."""
    home = environ.get("HOME", "/")
    config = environ.get("ENROOT_CONFIG_PATH") or os.path.join(environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), "enroot")
    for path in (os.path.join(config, ".credentials"), os.path.join(home, ".netrc")):
        try:
            found = netrc.netrc(path).hosts.get("auth.docker.io" if host == HUB else host.partition(":")[0])
        except (OSError, netrc.NetrcParseError):
            continue
        if found is not None and user in ("", found[0]):
            return found[0], os.path.expandvars(found[2] or "")
    try:
        with open(os.path.join(environ.get("DOCKER_CONFIG") or os.path.join(home, ".docker"), "config.json"), encoding="utf-8") as file:
            logins = json.load(file).get("auths", {})
    except (OSError, ValueError):
        return None
    for name in ("https://index.docker.io/v1/", HUB) if host == HUB else (host, f"https://{host}"):
        coded = logins.get(name, {}).get("auth", "")
        if coded:
            login, _, password = base64.b64decode(coded).decode(errors="replace").partition(":")
            if user in ("", login):
                return login, password
    return None
