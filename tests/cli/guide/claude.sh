#!/bin/sh
# Plays Claude Code in the guide: it does what the prompts there ask for, and says what that CLI would say.
[ "$1" = --version ] && { echo '2.1.0 (Claude Code)'; exit; }
read -r message
used='"usage":{"input_tokens":30,"output_tokens":12}'
n=1 answer=
# One message of the model's, with this part.
message() {
    printf '{"type":"assistant","session_id":"s1","message":{"id":"a%s","model":"m","content":[%s],%s}}\n' "$n" "$1" "$used"
    n=$((n + 1))
}
says() {
    message "{\"type\":\"text\",\"text\":\"$1\"}"
    answer=$1
}
does() {
    message "{\"type\":\"tool_use\",\"id\":\"t$n\",\"name\":\"Bash\",\"input\":{\"command\":\"$1\"}}"
    printf '{"type":"user","session_id":"s1","message":{"content":[{"type":"tool_result","tool_use_id":"t%s","content":"%s"}]}}\n' \
        $((n - 1)) "$(sh -c "$1" 2>&1)"
}
# The next message comes from `execenv send`.
waits() {
    touch "$HOME/agent-is-on"
    read -r message
}
echo '{"type":"system","subtype":"init","session_id":"s1","model":"m"}'
case $message in
*typo*)
    does "sed -i.old s/Helo/Hello/ hello.sh && rm hello.sh.old"
    says 'I fixed the typo.'
    ;;
*'Greet politely'*)
    does "sed -i.old 's/Hello/Good morning/' hello.sh && rm hello.sh.old"
    says 'It greets politely now.'
    ;;
*'Port the parser'*)
    says 'I begin with the lexer.'
    waits
    says 'I leave the tests as they are.'
    ;;
*'rewrite everything'*)
    says 'I begin.'
    waits
    ;;
*'missing tests'*)
    does 'echo one test >> tests.txt'
    says 'One is written.'
    ;;
*COMPLETION_GATE*)
    does 'echo another test >> tests.txt'
    says '<COMPLETION_GATE>\nready: true\nreason: all tests are written\n</COMPLETION_GATE>'
    ;;
*) says 'Done.' ;;
esac
printf '{"type":"result","subtype":"success","is_error":false,"result":"%s","session_id":"s1","num_turns":2,"total_cost_usd":0.0123}\n' "$answer"
cat > /dev/null
