#!/usr/bin/env bash
# Runs the functions of Kubernetes' test/cmd against an API server that runs already. The argument is the folder with
# Kubernetes' sources and the file `token`; EXAM_FOCUS is a regular expression for the names of functions.
set -o errexit
set -o nounset
set -o pipefail

cd "$1"
export TMPDIR="${PWD}/tmp"
mkdir -p "${TMPDIR}"
# kube-apiserver would have made these; kubectl's own commands read them as files.
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=test -keyout "${TMPDIR}/apiserver.key" \
  -out "${TMPDIR}/apiserver.crt" 2> /dev/null
source hack/lib/init.sh
source hack/lib/test.sh
source test/cmd/legacy-script.sh

# The suite looks for the name of its own authority.
kube::util::test_client_certificate_authentication_enabled() {
  kube::util::test_openssl_installed
  openssl s_client -connect "127.0.0.1:${SECURE_API_PORT}" < /dev/null 2> /dev/null \
    | grep -q 'Acceptable client certificate CA names'
}

# The suite's own cleanup would end its etcd as well.
cleanup() {
  stop-proxy
  rm -rf "${KUBE_TEMP}"
}

eval "upstream_$(declare -f record_command)"
record_command() {
  if [[ "$1" =~ ${EXAM_FOCUS} ]]; then
    upstream_record_command "$@"
  fi
}

kube::util::trap_add cleanup EXIT SIGINT
kube::util::ensure-temp-dir
kube::util::ensure-gnu-sed
HOME="${KUBE_TEMP}"
export HOME
CONTEXT="test"
kubectl config set-credentials test-admin --token "$(cat token)" > /dev/null
kubectl config set-cluster local --insecure-skip-tls-verify --server "https://127.0.0.1:${SECURE_API_PORT}"
kubectl config set-context "${CONTEXT}" --user test-admin --cluster local
kubectl config use-context "${CONTEXT}"

# create_node comes from the script that this one replaces.
source <(sed -n '/^function create_node/,/^__EOF__/p' hack/make-rules/test-cmd.sh; echo "}")
create_node
export SUPPORTED_RESOURCES=("*")
runTests
