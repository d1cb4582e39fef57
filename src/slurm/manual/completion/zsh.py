"""Completion for zsh: one file for all commands, found by its first line."""

from __future__ import annotations

from slurm.manual.completion import tables, words

_COMPLETE = r"""
_slurm_py_main() {
    emulate -L zsh
    setopt extended_glob
    local command=${words[1]:t} token=$PREFIX option= REPLY= value i
    local of=$command behind=$command
    local -a operands
    for ((i = 2; i < CURRENT; i++)); do
        value=${words[i]}
        if [[ $value == -?* ]]; then
            if _slurm_py_of_option "$of" "$value"; then
                ((++i < CURRENT)) || option=$value
            fi
        else
            operands+=("${value:l}")
            behind+=" ${value:l}"
            [[ $command == slurm ]] && of+=" ${value:l}"
        fi
    done
    if [[ -n $option ]]; then
        _slurm_py_of_option "$of" "$option"
    elif [[ $token == -*=* ]]; then
        _slurm_py_of_option "$of" "${token%%=*}" || _slurm_py_of_option "$of" "${token%%=*}="
        compset -P 1 '*='
    elif [[ $token == -* ]]; then
        _slurm_py_options "$behind"
        _slurm_py_add "$REPLY"
        return
    elif [[ $token == *=* && ( $command == scontrol || $command == sacctmgr ) ]]; then
        value=${token%%=*}
        _slurm_py_of_key "${value:l}"
        compset -P 1 '*='
    else
        _slurm_py_of_place "$behind"
    fi
    case $REPLY in
        @files) _files ;;
        @folders) _files -/ ;;
        @commands) if (($#operands)); then _files; else _command_names -e; fi ;;
        @*) compset -P '*,'; _slurm_py_add "$(_slurm_py_ask "${REPLY#@}")" ;;
        *) compset -P '*,'; _slurm_py_add "${(F)${=REPLY}}" ;;
    esac
}

# Offers lines, each with what it means behind a tab.
_slurm_py_add() {
    local -a open closed open_texts closed_texts
    local one name text
    for one in "${(@f)1}"; do
        name=${one%%$'\t'*}
        [[ -n $name ]] || continue
        text=$name
        [[ $one == *$'\t'* ]] && text="${(r:28:)name} ${one#*$'\t'}"
        if [[ $name == *[=:] ]]; then
            open+=("$name") open_texts+=("$text")
        else
            closed+=("$name") closed_texts+=("$text")
        fi
    done
    compadd -M 'm:{a-zA-Z}={A-Za-z}' -l -d closed_texts -a closed
    compadd -M 'm:{a-zA-Z}={A-Za-z}' -l -S '' -d open_texts -a open
}

_slurm_py_main "$@"
"""


def files() -> dict[str, str]:
    """The one file."""
    names = " ".join([*words.commands(), "slurm"])
    return {"zsh/_slurm_py": f"#compdef {names}\n# Completion of Slurm's commands for zsh: written by `python -m "
                             f"slurm.manual`.\n\n{tables.text()}{_COMPLETE}"}
