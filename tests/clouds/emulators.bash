# The three clouds on 127.0.0.1, for the length of a test: start_s3, start_gcs, start_azure, stop_emulators. Each start
# exports what its client needs to reach the emulator and nothing else, and makes a bucket bkt1; it returns 1 with the
# reason on standard error where client or emulator cannot be had. scripts/setup-clouds installs both.
clouds=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/build/clouds
PATH=$clouds/bin:$PATH
emulator_pids=()
emulator_folder=

emulators_need() {  # PROGRAM...
  local program
  for program in "$@"; do
    command -v "$program" >/dev/null && continue
    echo "NO $program: its destination is not tested; scripts/setup-clouds installs it" >&2
    return 1
  done
  [ -n "$emulator_folder" ] || emulator_folder=$(mktemp -d)
}

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# start_emulator NAME COMMAND...: "@PORT@" in the command becomes a free port, left in $emulator_port.
start_emulator() {
  local name=$1 try pid begun
  shift
  for try in 1 2 3 4 5; do
    emulator_port=$((20000 + RANDOM % 20000))
    answers "$emulator_port" && continue
    "${@//@PORT@/$emulator_port}" >"$emulator_folder/$name.log" 2>&1 3>&- </dev/null &
    pid=$!
    begun=$SECONDS
    while kill -0 "$pid" 2>/dev/null && [ $((SECONDS - begun)) -lt 60 ]; do
      if answers "$emulator_port"; then
        emulator_pids+=("$pid")
        return 0
      fi
      sleep 0.1
    done
    kill "$pid" 2>/dev/null
  done
  echo "NO ANSWER from the emulator $name: $(tail -n 3 "$emulator_folder/$name.log")" >&2
  return 1
}

# make_bucket NAME COMMAND...
make_bucket() {
  local name=$1
  shift
  "$@" >"$emulator_folder/$name-bucket.log" 2>&1 </dev/null && return 0
  echo "NO BUCKET at the emulator $name: $(tail -n 3 "$emulator_folder/$name-bucket.log")" >&2
  return 1
}

start_s3() {
  emulators_need aws moto_server || return 1
  start_emulator s3 moto_server -H 127.0.0.1 -p @PORT@ || return 1
  export AWS_ENDPOINT_URL=http://127.0.0.1:$emulator_port AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
  export AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true AWS_PAGER=
  export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null
  make_bucket s3 aws --endpoint-url "$AWS_ENDPOINT_URL" s3 mb s3://bkt1
}

start_gcs() {
  emulators_need gcloud fake-gcs-server || return 1
  # Its public address is part of its answers and has to be known when it starts.
  start_emulator gcs fake-gcs-server -backend memory -host 127.0.0.1 -scheme http -port @PORT@ \
    -external-url http://127.0.0.1:@PORT@ -public-host 127.0.0.1:@PORT@ || return 1
  mkdir -p "$emulator_folder/gcloud"
  export CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE=http://127.0.0.1:$emulator_port/storage/v1/
  export CLOUDSDK_AUTH_DISABLE_CREDENTIALS=true CLOUDSDK_CORE_PROJECT=test CLOUDSDK_CORE_DISABLE_PROMPTS=1
  export CLOUDSDK_CORE_DISABLE_USAGE_REPORTING=true CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK=true
  export CLOUDSDK_CORE_DISABLE_FILE_LOGGING=true CLOUDSDK_CONFIG=$emulator_folder/gcloud
  make_bucket gcs gcloud storage buckets create gs://bkt1
}

start_azure() {
  emulators_need az azurite-blob || return 1
  start_emulator azure azurite-blob --inMemoryPersistence --skipApiVersionCheck --disableTelemetry \
    --blobHost 127.0.0.1 --blobPort @PORT@ || return 1
  mkdir -p "$emulator_folder/azure"
  # The emulator's account and key are published and the same everywhere.
  local key=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==
  export AZURE_STORAGE_CONNECTION_STRING="DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=$key;BlobEndpoint=http://127.0.0.1:$emulator_port/devstoreaccount1;"
  export AZURE_CORE_COLLECT_TELEMETRY=0 AZURE_CORE_ONLY_SHOW_ERRORS=true AZURE_CONFIG_DIR=$emulator_folder/azure
  make_bucket azure az storage container create -n bkt1 -o none
}

stop_emulators() {
  [ ${#emulator_pids[@]} -eq 0 ] || kill "${emulator_pids[@]}" 2>/dev/null
  emulator_pids=()
  [ -z "$emulator_folder" ] || rm -rf "$emulator_folder"
  emulator_folder=
}
