"""Images, mounts and names of containers, as Pyxis and enroot write them."""

import pytest

from slurm.model.errors import NotationError
from slurm.notation import container
from slurm.notation.container import Image, Mount


@pytest.mark.parametrize(("text", "expected"), [
    ("/data/a.sqsh", Image("file", "/data/a.sqsh")),
    ("./folder", Image("file", "./folder")),
    ("ubuntu", Image("docker", "ubuntu", "latest")),
    ("ubuntu:24.04", Image("docker", "ubuntu", "24.04")),
    ("nvcr.io#nvidia/pytorch:24.05-py3", Image("docker", "nvidia/pytorch", "24.05-py3", "", "nvcr.io")),
    ("docker://$oauthtoken@nvcr.io#nvidia/pytorch", Image("docker", "nvidia/pytorch", "latest", "$oauthtoken", "nvcr.io")),
    ("docker://me@ubuntu:1", Image("docker", "ubuntu", "1", "me")),
    ("docker://localhost:5000#a/b:1", Image("docker", "a/b", "1", "", "localhost:5000")),
    ("dockerd://mine:2", Image("dockerd", "mine", "2")),
    ("podman://localhost/tiny:1", Image("podman", "localhost/tiny", "1")),
    (f"ubuntu@sha256:{'a' * 64}", Image("docker", "ubuntu", "latest", "", "", f"sha256:{'a' * 64}")),
])
def test_an_image_is_read(text: str, expected: Image) -> None:
    assert container.image(text) == expected


@pytest.mark.parametrize("text", ["", "ftp://x", "docker://", "a b", "docker://x#", "../x#y:tag with space", "UPPER", "x:y:z z", "a@sha256:12",
                                  "docker://reg/istry#name"])
def test_what_is_no_image_is_refused(text: str) -> None:
    if text.startswith("../"):
        assert container.image(text).scheme == "file"
        return
    with pytest.raises(NotationError):
        container.image(text)


def test_mounts_are_read_with_their_flags() -> None:
    assert container.mounts("/fsx:/fsx,/nfs,/a:/b/./c/:ro+rprivate,/x::noexec") == [
        Mount("/fsx", "/fsx"), Mount("/nfs", "/nfs"), Mount("/a", "/b/c", True), Mount("/x", "/x", False, True)]


@pytest.mark.parametrize("text", ["relative:/x", "/x:relative", "/a:/b:shared", "/a:/b:ro:x", "/a:/", "/a:/proc/sys", "/a:/sys", "/a:/x/../y", "/a://"])
def test_mounts_over_what_a_container_is_made_of_are_refused(text: str) -> None:
    with pytest.raises(NotationError):
        container.mounts(text)


def test_the_name_of_a_container_leads_to_no_other_folder() -> None:
    assert container.container_name("a-1.b_c:create") == ("a-1.b_c", "create")
    for text in ("", "../x", ".x", "a/b", "a:b", "x" * 101):
        with pytest.raises(NotationError):
            container.container_name(text)


def test_options_are_taken_out_of_the_environment() -> None:
    environment = {"A": "1", container.PREFIX + "container_image": "/x.sqsh"}
    assert container.separated(environment) == ({"container_image": "/x.sqsh"}, {"A": "1"})
    assert container.separated({"A": "1"}) == ({}, {"A": "1"})
