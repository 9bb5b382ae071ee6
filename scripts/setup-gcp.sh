#!/usr/bin/env bash
# Prepare a Google Cloud project for terraform/ and cloudbuild.yaml.
# Usage: scripts/setup-gcp.sh [--dry-run] PROJECT [REGION]
#
# Makes what Terraform itself needs: APIs, a bucket for its state, the account that
# builds. Can be run again: what is there is left as it is. Prints every command first.
set -euo pipefail

dry_run=no
if [ "${1:-}" = --dry-run ]; then
  dry_run=yes
  shift
fi
if [ $# -lt 1 ] || [ $# -gt 2 ]; then
  sed -n 's/^# Usage: /Usage: /p' "$0" >&2
  exit 2
fi
project=$1
region=${2:-europe-west4}
bucket=$project-pegasus-terraform
sources=${project}_cloudbuild # as "gcloud builds submit" names it
builder=pegasus-builder@$project.iam.gserviceaccount.com

# Only what terraform/project.tf cannot enable, because it is needed to run it.
apis=(
  artifactregistry.googleapis.com
  cloudbuild.googleapis.com
  cloudresourcemanager.googleapis.com
  iam.googleapis.com
  pubsub.googleapis.com
  serviceusage.googleapis.com
  storage.googleapis.com
)
# To push images, to write its log, to ship revisions and run the migration.
roles=(
  roles/artifactregistry.writer
  roles/logging.logWriter
  roles/run.developer
)

say() { printf '\n== %s\n' "$1"; }

do_it() { # print a command, and run it unless this is a dry run
  printf '  %s\n' "$*"
  if [ "$dry_run" = no ]; then
    "$@"
  fi
}

there() { # is it there already? In a dry run nothing is asked.
  [ "$dry_run" = no ] && "$@" >/dev/null 2>&1
}

say "Project $project, region $region"
if [ "$dry_run" = yes ]; then
  echo "Dry run: nothing is changed."
fi

say "APIs"
do_it gcloud services enable "${apis[@]}" --project "$project"

# Its account is not there before somebody asks for it, and terraform/ gives it rights.
do_it gcloud beta services identity create --service pubsub.googleapis.com \
  --project "$project" --quiet

say "Buckets for Terraform's state and for sources to build"
for name in "$bucket" "$sources"; do
  if there gcloud storage buckets describe "gs://$name" --project "$project"; then
    echo "  gs://$name is there."
  else
    do_it gcloud storage buckets create "gs://$name" --project "$project" \
      --location "$region" --uniform-bucket-level-access --public-access-prevention
  fi
done
do_it gcloud storage buckets update "gs://$bucket" --versioning

say "Account that builds"
if there gcloud iam service-accounts describe "$builder" --project "$project"; then
  echo "  $builder is there."
else
  do_it gcloud iam service-accounts create pegasus-builder --project "$project" \
    --display-name "Pegasus: Cloud Build"
fi
for role in "${roles[@]}"; do
  do_it gcloud projects add-iam-policy-binding "$project" --condition None \
    --member "serviceAccount:$builder" --role "$role" --quiet
done
# It reads what it builds, and nobody's recordings.
do_it gcloud storage buckets add-iam-policy-binding "gs://$sources" \
  --member "serviceAccount:$builder" --role roles/storage.objectViewer
# It proves to the new revisions who it is.
do_it gcloud iam service-accounts add-iam-policy-binding "$builder" --project "$project" \
  --condition None --member "serviceAccount:$builder" \
  --role roles/iam.serviceAccountOpenIdTokenCreator --quiet

say "Next"
cat <<NEXT
  cd terraform
  terraform init -backend-config=bucket=$bucket -backend-config=prefix=staging
  see docs/deploy.md, step 2
NEXT
