#!/usr/bin/env bash
# Downloads an official V-JEPA checkpoint: an encoder, or a probe that was trained on one. See docs/models.md.
#   ./examples/models.sh vitl16 [FOLDER]     into FOLDER, default ./models
#   ./examples/models.sh --list
# A download that was cut goes on where it stopped. VJEPA_MODELS_URL replaces the address, for mirrors.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
base=${VJEPA_MODELS_URL:-https://dl.fbaipublicfiles.com/jepa}

# Name, path below the address, and the least megabytes that it can have: encoder and target encoder in float32
# (8 bytes a parameter), or one cross-attention block and a linear layer (4 bytes a parameter).
models='
vitl16              vitl16/vitl16.pth.tar             2431
vith16              vith16/vith16.pth.tar             5053
vith16-384          vith16-384/vith16-384.pth.tar     5053
vitl16-k400         vitl16/k400-probe.pth.tar           47
vitl16-ssv2         vitl16/ssv2-probe.pth.tar           46
vitl16-in1k         vitl16/in1k-probe.pth.tar           50
vitl16-places       vitl16/places-probe.pth.tar         46
vitl16-inat         vitl16/inat-probe.pth.tar           87
vith16-k400         vith16/k400-probe.pth.tar           74
vith16-ssv2         vith16/ssv2-probe.pth.tar           72
vith16-in1k         vith16/in1k-probe.pth.tar           77
vith16-places       vith16/places-probe.pth.tar         73
vith16-inat         vith16/inat-probe.pth.tar          123
vith16-384-k400     vith16-384/k400-probe.pth.tar       74
vith16-384-ssv2     vith16-384/ssv2-probe.pth.tar       72
vith16-384-in1k     vith16-384/in1k-probe.pth.tar       77
vith16-384-places   vith16-384/places-probe.pth.tar     73
vith16-384-inat     vith16-384/inat-probe.pth.tar      123'

usage() { sed -n '2,5s/^# \{0,1\}//p' "$0"; }
list() { awk -v base="$base" 'NF { printf "%-18s %s/%s\n", $1, base, $2 }' <<<"$models"; }
fail() { echo "models.sh: $*" >&2; exit 1; }

case ${1-} in
  --help) usage; exit 0 ;;
  --list) list; exit 0 ;;
  '' | -*) usage >&2; exit 2 ;;
esac
[ $# -le 2 ] || { usage >&2; exit 2; }
name=$1 folder=${2:-models}
read -r path least < <(awk -v name="$name" '$1 == name { print $2, $3 }' <<<"$models") ||
  { echo "models.sh: there is no '$name'; there are:" >&2; list >&2; exit 1; }
command -v curl >/dev/null || fail "needs curl: install it, or fetch $base/$path by other means"

file=$folder/$name.pth.tar
mkdir -p "$folder"
if [ ! -e "$file" ]; then
  # A server that does not answer is asked again; what it refuses is not.
  announced=$(curl --fail --silent --show-error --location --head --retry 3 "$base/$path" |
    awk 'tolower($1) == "content-length:" { size = $2; sub(/\r/, "", size) } END { print size }') || fail "$base/$path: not there"
  [ -n "$announced" ] || fail "$base/$path: the server does not say how large it is"
  [ "$announced" -ge "$((least * 1000000))" ] ||
    fail "$base/$path: has $announced bytes; the model alone takes $least MB. This is another file"
  have=$(stat -c %s "$file.part" 2>/dev/null || echo 0)
  [ "$have" -le "$announced" ] || { rm "$file.part"; have=0; }
  if [ "$have" -lt "$announced" ]; then
    curl --fail --location --progress-bar --retry 3 --continue-at - --output "$file.part" "$base/$path" ||
      fail "$base/$path: cut off; the same command goes on with it"
  fi
  have=$(stat -c %s "$file.part")
  [ "$have" -eq "$announced" ] ||
    fail "$file.part: has $have bytes of $announced; the same command goes on with it"
  mv "$file.part" "$file"
fi
echo "$file: $(stat -c %s "$file") bytes"
if [ -x "$here/build/bin/vjepa-info" ]; then "$here/build/bin/vjepa-info" "$file"; fi
