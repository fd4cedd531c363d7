#!/usr/bin/env bash
# A tour in one screen: make keys, seal a Secret, look at what may be committed, let the controller turn it
# into files, tamper with them, see them healed. Not a test and not a set-up: everything happens in a
# directory of its own, which is removed. Usage: demo.sh DIRECTORY-WITH-THE-PROGRAMS
set -euo pipefail

bin=$(cd "${1:?the directory with seal and seal-controller}" && pwd)
PATH=$bin:$PATH
work=$(mktemp -d)
agent=
trap '[ -z "$agent" ] || kill "$agent" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
cd "$work"

say() { printf '\n\033[1m# %s\033[0m\n' "$*"; }
run() { printf '$ %s\n' "$*"; eval "$*"; }
# Waits up to ten seconds for a condition.
until_true() { for _ in $(seq 100); do if eval "$1"; then return; fi; sleep 0.1; done; echo "gave up: $1" >&2; exit 1; }
[ -t 1 ] || say() { printf '\n# %s\n' "$*"; }

say "A key pair. The identity stays on the host; the recipient is public."
run 'seal keys new -o identity.txt > recipient.pub'
run 'cut -c1-76 recipient.pub'

say "A Secret, as you would write it. It can't be committed."
cat > secret.yaml <<'YAML'
apiVersion: v1
kind: Secret
metadata: {name: db, namespace: prod}
stringData:
  username: app
  password: correct horse battery staple
YAML
run 'cat secret.yaml'

say "Sealed, it can. Needs nothing but the recipient."
mkdir checkout
run 'seal -r recipient.pub secret.yaml -o checkout/db.yaml && rm secret.yaml'
run 'cut -c1-96 checkout/db.yaml'

say "The controller turns the checkout into files (in a cluster: into Secrets)."
mkdir -m 700 secrets
echo '$ seal-controller host --manifests checkout --secrets secrets --identity identity.txt &'
seal-controller --log warn host --manifests checkout --secrets secrets --identity identity.txt 2> agent.log &
agent=$!
until_true '[ -e secrets/prod/db/password ]'
run 'stat -L -c "%A %n" secrets/prod/db/*'
run 'cat secrets/prod/db/password; echo'

say "Somebody tampers with it."
run 'rm secrets/prod/db/username && echo changed > secrets/prod/db/password'
until_true '[ "$(cat secrets/prod/db/password 2>/dev/null)" = "correct horse battery staple" ] && [ -e secrets/prod/db/username ]'
say "Healed."
run 'cat secrets/prod/db/password; echo'

say "Moved to another namespace, it is refused, and says why."
run 'sed "s/namespace: prod/namespace: staging/" checkout/db.yaml > checkout/stolen.yaml'
until_true '[ -e secrets/..status/staging/db/status.json ]'
run 'grep -m1 -o "sealed for [^\"]*" secrets/..status/staging/db/status.json'
run '[ ! -e secrets/staging/db ] && echo "no Secret was made"'
