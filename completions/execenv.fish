complete --keep-order --exclusive --command execenv --arguments "(EXECENV_COMPLETE=fish execenv -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
