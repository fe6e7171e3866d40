#!/usr/bin/env bash
# Makes the folder pki beside this script: an authority, the certificate of kube-apiserver, the key of its ServiceAccount
# tokens, the token of an administrator, and kubeconfigs for inside and outside of the containers. Needs openssl.
set -euo pipefail
umask 077
cd "$(dirname "$0")"
[ ! -e pki ] || { echo "pki exists already; remove it to make new keys" >&2; exit 1; }
mkdir pki
cd pki

days=3650
openssl req -x509 -newkey rsa:2048 -nodes -days "$days" -subj /CN=portolan-ca -keyout ca.key -out ca.crt 2> /dev/null
openssl req -newkey rsa:2048 -nodes -subj /CN=kube-apiserver -keyout apiserver.key -out apiserver.csr 2> /dev/null
openssl x509 -req -in apiserver.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days "$days" -out apiserver.crt 2> /dev/null \
  -extfile <(echo "subjectAltName=DNS:kube-apiserver,DNS:localhost,DNS:kubernetes.default.svc,IP:127.0.0.1")
rm apiserver.csr ca.srl
openssl genrsa -out service-account.key 2048 2> /dev/null
token=$(openssl rand -hex 24)
echo "$token,admin,admin,system:masters" > tokens.csv

kubeconfig() {
  cat << END
apiVersion: v1
kind: Config
current-context: portolan
clusters:
- name: portolan
  cluster:
    server: https://$1:6443
    certificate-authority-data: $(base64 -w0 < ca.crt)
users:
- name: admin
  user: { token: $token }
contexts:
- name: portolan
  context: { cluster: portolan, user: admin }
END
}
kubeconfig kube-apiserver > kubeconfig.inside
kubeconfig 127.0.0.1 > kubeconfig
