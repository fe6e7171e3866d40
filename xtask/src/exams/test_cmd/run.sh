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

# The suite's own API server allows everything to everybody. This user of its checks of impersonation creates such requests.
kubectl create clusterrole exam-requester --verb=create --resource=certificatesigningrequests > /dev/null
kubectl create clusterrolebinding exam-requester --clusterrole=exam-requester --user=user1 > /dev/null

# Modules keep no permissions: the plugins of the suite are programs.
find test/fixtures/pkg/kubectl/plugins -type f -exec chmod +x {} +

# create_node comes from the script that this one replaces.
source <(sed -n '/^function create_node/,/^__EOF__/p' hack/make-rules/test-cmd.sh; echo "}")
create_node
export SUPPORTED_RESOURCES=("*")
runTests
