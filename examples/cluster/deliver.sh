#!/bin/sh
# Plays a cluster: starts a run, computes its results here, and delivers them over HTTPS without AWS credentials.
#
#     API=https://... TOKEN=... ./deliver.sh GROUP [SAMPLES]
#
# Prints the id of the run. Needs curl, awk and python3 (to read JSON).
set -eu

samples=${2:-100000}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

curl -sS --fail-with-body -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
    -d '{"arguments": [{"name": "samples", "value": '"$samples"'}], "config": {"engine": "external"}}' \
    "$API/groups/$1/runs" >run.json || { cat run.json >&2; exit 1; }

# What the jobs of a cluster would do. `results` is the folder whose files are delivered, by their paths in it.
mkdir -p results/results/logs
for worker in 1 2 3; do
    awk -v seed="$worker" -v samples="$samples" 'BEGIN {
        srand(seed)
        for (i = 0; i < samples; i++) hits += rand() ^ 2 + rand() ^ 2 < 1
        print hits
    }' >"results/results/logs/worker $worker.txt"
done
cat results/results/logs/*.txt | awk -v samples="$samples" '
    { hits += $1 }
    END {
        error = 4 * hits / (3 * samples) - atan2(0, -1)
        printf "{\"error\": %.9f, \"samples\": %d}\n", error < 0 ? -error : error, 3 * samples
    }' >results/results/estimate.json

# The answer holds the commands: the first posts every file below results/, the last the marker that ends it.
python3 -c 'import json; print(*json.load(open("run.json"))["ingest"]["curl"], sep="\n")' >deliver
sh -e deliver >delivered.log
python3 -c 'import json; print(json.load(open("run.json"))["id"])'
