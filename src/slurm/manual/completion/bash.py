"""Completion for bash. Needs nothing but bash itself: the package bash-completion only loads the files when they are wanted."""

from __future__ import annotations

from slurm.manual.completion import tables, words

_HEAD = "# Completion of Slurm's commands for bash: written by `python -m slurm.manual`.\n"
_COMPLETE = r"""
_slurm_py() {
    local command=${1##*/} line=${COMP_LINE:0:COMP_POINT} option='' REPLY='' token head value i
    local of=$command
    local -a typed=() operands=()
    read -ra typed <<<"$line"
    case $line in
        *[[:space:]]) token='' ;;
        *) token=${typed[-1]}; unset 'typed[-1]' ;;
    esac
    for ((i = 1; i < ${#typed[@]}; i++)); do
        value=${typed[i]}
        if [[ $value == -?* ]]; then
            if _slurm_py_of_option "$of" "$value"; then
                ((++i < ${#typed[@]})) || option=$value
            fi
        else
            operands+=("${value,,}")
            [[ $command == slurm ]] && of+=" ${value,,}"
        fi
    done
    local behind="$command${operands[*]:+ ${operands[*]}}"
    head='' value=$token
    if [[ -n $option ]]; then
        _slurm_py_of_option "$of" "$option"
    elif [[ $token == -*=* ]]; then
        head=${token%%=*}= value=${token#*=}
        _slurm_py_of_option "$of" "${head%=}" || _slurm_py_of_option "$of" "$head"
    elif [[ $token == -* ]]; then
        _slurm_py_options "$behind"
        _slurm_py_reply "$token" '' "$token" "$REPLY"
        return
    elif [[ $token == *=* && ( $command == scontrol || $command == sacctmgr ) ]]; then
        head=${token%%=*}= value=${token#*=}
        i=${head%=}
        _slurm_py_of_key "${i,,}"
    else
        _slurm_py_of_place "$behind"
    fi
    case $REPLY in
        @files) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$value") ;;
        @folders) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$value") ;;
        @commands)
            compopt -o filenames
            if ((${#operands[@]})); then mapfile -t COMPREPLY < <(compgen -f -- "$value"); else mapfile -t COMPREPLY < <(compgen -c -- "$value"); fi ;;
        @*) _slurm_py_reply "$token" "$head" "$value" "$(_slurm_py_ask "${REPLY#@}")" ;;
        *) _slurm_py_reply "$token" "$head" "$value" "${REPLY// /$'\n'}" ;;
    esac
}

# Takes of the lines $4 those that go on with $3, which follows $2 in the word $1; the last of a list with commas is what is completed.
_slurm_py_reply() {
    local before='' last=$3 whole cut='' one space=nospace
    if [[ $last == *,* ]]; then
        before=${last%,*}, last=${last##*,}
    fi
    # readline replaces only what stands behind the last of its own separators
    [[ $COMP_WORDBREAKS == *=* && $1 == *=* ]] && cut=${1%"${1##*=}"}
    [[ $COMP_WORDBREAKS == *:* && ${1#"$cut"} == *:* ]] && cut=${1%"${1##*:}"}
    COMPREPLY=()
    while IFS= read -r one; do
        one=${one%%$'\t'*}
        [[ -n $one && ${one,,} == "${last,,}"* ]] || continue
        whole=$2$before$one
        COMPREPLY+=("${whole#"$cut"}")
        [[ $one == *[=:] ]] || space=''
    done <<<"$4"
    if [[ -n $space && ${#COMPREPLY[@]} -gt 0 ]]; then
        compopt -o nospace
    fi
}
"""


def files() -> dict[str, str]:
    """One with everything, called slurm, and one for each command that reads it."""
    names = [*words.commands(), "slurm"]
    whole = f"{_HEAD}\n{tables.text()}{_COMPLETE}\ncomplete -F _slurm_py {' '.join(names)}\n"
    return {"bash/slurm": whole, **{f"bash/{name}": f'{_HEAD}. "${{BASH_SOURCE[0]%/*}}/slurm"\n' for name in words.commands()}}
