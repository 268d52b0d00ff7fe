#!/bin/bash
# make bench: polepair's own figures, then the peers side by side where the harness is beside the checkout.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
py=$root/.venv/bin/python
for case in foc bldc sweep; do "$py" benchmarks/peer_polepair.py $case; done
"$py" benchmarks/own.py
packaging/setup.sh packages packaging/debian-bench.txt
( cd benchmarks && "$py" instructions.py )
shared=${POLEPAIR_SHARED:-$PWD/../shared}
[ -d "$shared/bench/solver_peers" ] || { echo "no harness beside the checkout: peers are left out"; exit 0; }
if [ -d "$shared/bench/mqtt_ingest" ]; then # receivers side by side, by their own harness with one line added
    ingest=build/bench/mqtt venv=$root/build/bench/venv-mqtt
    mkdir -p build/bench && rm -rf "$ingest" && cp -r "$shared/bench/mqtt_ingest" "$ingest"
    [ -x "$venv/bin/python" ] || { /usr/bin/python3 -m venv "$venv"; "$venv/bin/pip" install -q -r "$ingest/requirements.txt" filterpy; }
    line='  "polepair": lambda o: (["'$py'", "'$root'/benchmarks/peer_ingest.py"] + flags(o), {}), "mosquitto_sub": None}'
    sed -i "s|^  \"mosquitto_sub\": None}|$line|" "$ingest/run.py"
    make -s -C "$ingest/c" 2>/dev/null
    for case in "json1 0 200000" "json1 1 200000" "bin 0 50000" "jsonb 0 20000" "spb 0 200000"; do
        read -r fmt qos n <<< "$case"
        ( cd "$ingest" && BENCH_PY=$venv/bin/python "$venv/bin/python" run.py --src firehose --fmt "$fmt" --qos "$qos" --n "$n" \
            --peers polepair,c_paho,c_mosq,py_gmqtt,py_paho --reps "${ROUNDS:-3}" | grep '^#' ) || true
    done
fi
"$py" benchmarks/own_live.py
work=build/bench/solver_peers
mkdir -p build/bench && rm -rf "$work" && cp -r "$shared/bench/solver_peers" "$work"
venv=build/bench/venv
[ -x $venv/bin/python ] || { /usr/bin/python3 -m venv $venv; $venv/bin/pip install -q numpy scipy numba motulator==0.5.0; }
peers=(main="$root/$venv/bin/python")
gem=build/bench/venv-gem
[ -x $gem/bin/python ] || { /usr/bin/python3 -m venv $gem; $gem/bin/pip install -q gym-electric-motor || true; }
$gem/bin/python -c "import gym_electric_motor" 2>/dev/null && peers+=(gem="$root/$gem/bin/python")
new=build/bench/venv-motulator # motulator 0.7, which the harness knows, wants Python 3.12
for python in python3.12 "$HOME"/.pyenv/versions/3.12*/bin/python3.12; do
    [ -x $new/bin/python ] || { "$python" -m venv $new && $new/bin/pip install -q motulator==0.7.3; } 2>/dev/null || true
done
$new/bin/python -c "import motulator" 2>/dev/null && peers+=(mot7="$root/$new/bin/python")
own() { echo "extra=$py $root/benchmarks/peer_polepair.py $1"; }
( cd "$work" && make -s all && python3 run_all.py "${ROUNDS:-3}" "${peers[@]}" "$(own foc)" "$(own bldc)" "$(own sweep)" )
mkdir -p benchmarks/results
"$py" benchmarks/to_csv.py "$work/results.jsonl" "benchmarks/results/$(lscpu | awk -F: '/Model name/{gsub(/[^A-Za-z0-9]+/,"-",$2); print tolower($2); exit}' | sed 's/^-//; s/-$//').csv"
