"""What becomes of the options of containers: variables for the node, and for each srun of a job that salloc holds."""

import pytest

from slurm.net import container_options
from slurm.notation.container import PREFIX
from slurm.options.errors import OptionError
from slurm.options.resolve import resolve


def asked(*words: str, environ: dict[str, str] | None = None) -> dict[str, str]:
    """Option → text, as a node reads them."""
    found = container_options.asked(resolve("srun", [*words, "true"], environ or {}), "/work")
    assert all(name.startswith(PREFIX) for name in found)
    return {name.removeprefix(PREFIX): text for name, text in found.items()}


def test_a_step_without_a_container_has_no_variables() -> None:
    assert asked() == {}


def test_each_option_reaches_the_node() -> None:
    assert asked(
        "--container-image=nvcr.io#nvidia/pytorch:24.05", "--container-mounts=/a:/b:ro", "--container-mounts=/c", "--container-workdir=/b",
        "--container-name=mine", "--container-save=out.sqsh", "--container-mount-home", "--container-remap-root", "--container-entrypoint",
        "--container-env=A,B", "--container-readonly") == {
            "container_image": "nvcr.io#nvidia/pytorch:24.05", "container_mounts": "/a:/b:ro,/c", "container_workdir": "/b",
            "container_name": "mine", "container_save": "/work/out.sqsh", "container_mount_home": "1", "container_remap_root": "1",
            "container_entrypoint": "1", "container_env": "A,B", "container_writable": "0"}


@pytest.mark.parametrize(("image", "sent"), [
    ("./a.sqsh", "/work/a.sqsh"), ("../a", "/a"), ("a.sqsh", "/work/a.sqsh"), ("/x/a.sqsh", "/x/a.sqsh"), ("ubuntu", "ubuntu")])
def test_a_path_of_an_image_is_the_submitters(image: str, sent: str) -> None:
    assert asked(f"--container-image={image}")["container_image"] == sent


def test_variables_ask_as_options_do_and_the_command_line_beats_them() -> None:
    environ = {"SLURM_CONTAINER_IMAGE": "/a.sqsh", "SLURM_CONTAINER_MOUNT_HOME": "1"}
    assert asked(environ=environ) == {"container_image": "/a.sqsh", "container_mount_home": "1"}
    assert asked("--no-container-mount-home", "--container-image=/b.sqsh", environ=environ) == {
        "container_image": "/b.sqsh", "container_mount_home": "0"}


@pytest.mark.parametrize("words", [
    ["--container-mounts=/a:/b"], ["--container-image=/a", "--container-mounts=a:/b"], ["--container-image=ftp://a"],
    ["--container-image=/a", "--container-workdir=x"], ["--container-image=/a", "--container-name=../x"],
    ["--container-image=/a", "--container-writable", "--container-readonly"]])
def test_what_cannot_be_is_refused_before_anything_is_asked_for(words: list[str]) -> None:
    with pytest.raises(OptionError):
        asked(*words)


@pytest.mark.parametrize("command", ["sbatch", "srun", "salloc"])
def test_each_command_takes_a_yes_of_a_variable_back(command: str) -> None:
    prefix = {"srun": "SLURM"}.get(command, command.upper())
    environ = {f"{prefix}_CONTAINER_IMAGE": "/a", f"{prefix}_CONTAINER_ENTRYPOINT": "1", f"{prefix}_CONTAINER_REMAP_ROOT": "1"}
    words = ["--no-container-entrypoint", "--no-container-remap-root", "--container-writable", "true"]
    found = container_options.asked(resolve(command, words, environ), "/work")
    assert {name.removeprefix(PREFIX): text for name, text in found.items()} == {
        "container_image": "/a", "container_entrypoint": "0", "container_remap_root": "0", "container_writable": "1"}


def test_what_salloc_is_asked_for_holds_for_each_srun_of_its_job() -> None:
    words = ["--container-image=./a.sqsh", "--container-readonly", "--no-container-remap-root"]
    variables = container_options.inherited(resolve("salloc", [*words, "bash"], {}), "/work")
    assert variables == {"SLURM_CONTAINER_IMAGE": "/work/a.sqsh", "SLURM_CONTAINER_READONLY": "1"}
    assert asked(environ=variables) == {"container_image": "/work/a.sqsh", "container_writable": "0"}


def test_a_bundle_reaches_the_node_and_excludes_what_its_file_says() -> None:
    found = container_options.asked(resolve("srun", ["--container=b", "--container-mounts=/a:/b", "true"], {}), "/work")
    assert found == {PREFIX + "container_bundle": "/work/b", PREFIX + "container_mounts": "/a:/b", "SLURM_CONTAINER": "/work/b"}
    with pytest.raises(OptionError, match="--container does not go with --container-image"):
        asked("--container=b", "--container-image=/a")
    assert asked("--container-image=/a", environ={"SRUN_CONTAINER": "/b"}) == {"container_image": "/a"}
    held = container_options.inherited(resolve("salloc", ["--container=b"], {}), "/work")
    assert held == {"SRUN_CONTAINER": "/work/b"}
    for command, variable in (("sbatch", "SBATCH_CONTAINER"), ("salloc", "SALLOC_CONTAINER"), ("srun", "SRUN_CONTAINER")):
        assert container_options.asked(resolve(command, [], {variable: "/b"}), "/")["SLURM_CONTAINER"] == "/b"
