#!/usr/bin/env bash
# Writes the pictures of the pages that doc/pictures.rst shows: starts a real cloud, rates two
# months of usage, and takes each page in Chromium. Takes a few minutes. Look at what it writes.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/venv.sh
ratekit_venv test,stack,databases,postgresql,pages
python -m tests.pages.pictures
git status --short doc/pictures
