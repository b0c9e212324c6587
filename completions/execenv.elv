
set edit:completion:arg-completer[execenv] = { |@words|
    var index = (count $words)
    set index = (- $index 1)

    put (env _CLAP_IFS="\n" _CLAP_COMPLETE_INDEX=(to-string $index) EXECENV_COMPLETE="elvish" execenv -- $@words) | to-lines
}

