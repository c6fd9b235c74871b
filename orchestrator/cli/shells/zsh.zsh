#compdef orchestrate
# Completion of orchestrate for zsh; made by `orchestrate completion zsh`.
_orchestrate() {
    local kind word about line
    local -a described plain_colon
    line="${(j: :)words[1,CURRENT-1]} ${words[CURRENT]}"
    while IFS=$'\t' read -r kind word about; do
        case $kind in
            file) _files ;;
            dir) _files -/ ;;
            plain)
                if [[ $word == *[:,] ]]; then
                    plain_colon+=("$word")
                else
                    described+=("${word//:/\\:}${about:+:$about}")
                fi
                ;;
        esac
    done < <(COMP_LINE=$line _ORCHESTRATE_COMPLETING=zsh "${words[1]}" 2>/dev/null)
    (( $#plain_colon )) && compadd -S '' -- $plain_colon
    (( $#described )) && _describe -V orchestrate described
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    # Put into a directory of $fpath as _orchestrate.
    _orchestrate "$@"
else
    compdef _orchestrate orchestrate
fi
