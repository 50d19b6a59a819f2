#!/usr/bin/env bash
# Puts an overlay into the cluster that kubectl points at, looks whether it works, and takes it out again.
#
#   deploy.sh deploy    [OVERLAY]   applies it and waits until everything is rolled out
#   deploy.sh verify    [OVERLAY]   looks at rollouts, autoscalers, documents, and sends one request through the router
#   deploy.sh dashboard             opens Grafana on http://localhost:3000 until Ctrl-C
#   deploy.sh cleanup   [OVERLAY]   deletes everything that the overlay has, volumes and namespace among it
#   deploy.sh front-proxy NAMESPACE copies the authority of the API server's front proxy to where routers mount it; `deploy`
#                                   does so for an overlay that serves metrics to Kubernetes
#
# OVERLAY is a folder, or the name of one of manifests/overlays: gateway where it is not given. TIMEOUT (5m) is how long a
# rollout may take; GRAFANA (monitoring/svc/grafana:80) is where Grafana is.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
timeout="${TIMEOUT:-5m}"
grafana="${GRAFANA:-monitoring/svc/grafana:80}"

usage() {
    sed -n '2,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

fail() {
    echo "deploy.sh: $*" >&2
    exit 1
}

# The folder that OVERLAY names.
overlay() {
    local name="${1:-gateway}"
    if [ -f "$name/kustomization.yaml" ]; then
        echo "$name"
    elif [ -f "$here/overlays/$name/kustomization.yaml" ]; then
        echo "$here/overlays/$name"
    else
        fail "there is no overlay $name; there are: $(cd "$here/overlays" && echo *)"
    fi
}

# KIND/NAME of what the overlay has of these kinds, with its namespace before it.
objects() {
    kubectl kustomize "$1" | awk -v kinds="$2" '
        function out() { if (index(" " kinds " ", " " kind " ")) print namespace, tolower(kind) "/" name; kind = name = ""; namespace = "default" }
        BEGIN { namespace = "default" }
        /^---/ { out(); inside = 0; next }
        /^kind: / { kind = $2 }
        /^[a-z]/ { inside = ($1 == "metadata:") }
        inside && /^  name: / { name = $2 }
        inside && /^  namespace: / { namespace = $2 }
        END { out() }'
}

wait_for_rollouts() {
    local namespace object
    while read -r namespace object; do
        kubectl --namespace "$namespace" rollout status "$object" --timeout "$timeout"
    done < <(objects "$1" "Deployment")
}

# The authority whose certificates the API server shows to those that it puts its clients through to.
front-proxy() {
    local authority
    authority="$(kubectl --namespace kube-system get configmap extension-apiserver-authentication \
        --output 'jsonpath={.data.requestheader-client-ca-file}')"
    [ -n "$authority" ] || fail "the API server has no requestheader-client-ca-file: turn its aggregation layer on"
    echo "== copying the front proxy's authority to $1"
    kubectl --namespace "$1" create configmap overspill-front-proxy --dry-run=client --output yaml \
        --from-literal "requestheader-client-ca-file=$authority" |
        kubectl apply --server-side --filename -
}

deploy() {
    echo "== applying $1"
    # Definitions first: what is of their kinds is refused before they are there.
    if [ -n "$(objects "$1" CustomResourceDefinition)" ]; then
        kubectl apply --server-side --kustomize "$here/crds"
        kubectl wait --for condition=Established --timeout "$timeout" --filename "$here/crds/definitions.yaml"
    fi
    kubectl apply --server-side --kustomize "$1"
    # Pods that mount it wait for it.
    if [ -n "$(objects "$1" APIService)" ]; then
        front-proxy "$(objects "$1" Deployment | awk '$2 == "deployment/overspill" { print $1 }')"
    fi
    wait_for_rollouts "$1"
}

verify() {
    local namespace object
    echo "== rollouts"
    wait_for_rollouts "$1"
    echo "== autoscalers"
    while read -r namespace object; do
        kubectl --namespace "$namespace" get "$object"
    done < <(objects "$1" "HorizontalPodAutoscaler ScaledObject")
    namespace="$(objects "$1" "Deployment" | awk '$2 == "deployment/overspill" { print $1 }')"
    [ -n "$namespace" ] || return 0
    echo "== the documents"
    kubectl --namespace "$namespace" exec deployment/overspill --container overspill -- /overspill check /etc/overspill
    echo "== one request through the router"
    kubectl --namespace "$namespace" exec deployment/overspill --container overspill -- \
        /overspill call POST "http://embeddings.$namespace.svc.cluster.local/api/v1/embed" --timeout 60s --data '{"text": "verify"}' >/dev/null
    echo "== it works"
}

dashboard() {
    local namespace="${grafana%%/*}" rest="${grafana#*/}"
    echo "== Grafana on http://localhost:3000/d/overspill"
    kubectl --namespace "$namespace" port-forward "${rest%:*}" "3000:${rest##*:}"
}

cleanup() {
    echo "== deleting $1"
    kubectl delete --ignore-not-found --kustomize "$1"
}

command -v kubectl >/dev/null || fail "kubectl is missing. Install it: https://kubernetes.io/docs/tasks/tools"
[ $# -ge 1 ] && [ $# -le 2 ] || usage
case "$1" in
    deploy | verify | cleanup)
        folder="$(overlay "${2:-}")"
        "$1" "$folder"
        ;;
    front-proxy)
        [ $# -eq 2 ] || usage
        front-proxy "$2"
        ;;
    dashboard)
        [ $# -eq 1 ] || usage
        dashboard
        ;;
    *) usage ;;
esac
