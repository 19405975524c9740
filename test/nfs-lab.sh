#!/usr/bin/env bash
# A real NFS, on a machine whose kernel has no NFS client: boots a user-mode Linux kernel (Debian's) on this
# machine's own files, starts the kernel's NFS 4.1 server in it, mounts it twice with caches of their own
# (two pods on two nodes), and runs your command there. Takes about 5 s to boot; one CPU; loopback only.
#
#   test/nfs-lab.sh [-m MEM_MB] [-t SECONDS] COMMAND [ARG ...]
#
# Needs root, and: apt-get install -y user-mode-linux nfs-kernel-server nfs-common kmod iproute2
# (on a processor with AMX gcc and libc6-dev, too: see nfs-lab-xstate.c)
# Inside, the command finds (files outside these folders are this machine's own, written for real):
#   NFS_A, NFS_B     two mounts of one export, each with attribute and data caches of its own (hard, 4.1)
#   NFS_EXPORT       the exported folder as the server sees it (tmpfs)
#   /tmp, /run, /mnt empty tmpfs, but for the working folder; Redis and Azurite are started inside, by the command
#   nfs-lab down     the server stops answering (a hard mount hangs) ... nfs-lab up: it goes on
#   nfs-lab stale    the export is withdrawn (ESTALE) ... nfs-lab up: it is back
#   nfs-lab mount DIR [OPTIONS]   one more mount;  nfs-lab umount DIR
# Prints what the command prints, ends with its exit status (124 after SECONDS).
set -euo pipefail
mem=3072 limit=600
while getopts m:t: o; do case $o in m) mem=$OPTARG ;; t) limit=$OPTARG ;; *) exit 2 ;; esac; done; shift $((OPTIND - 1))
[ $# -gt 0 ] || { sed -n '2,17p' "$0"; exit 2; }
for need in linux.uml exportfs rpc.nfsd modprobe ip; do command -v $need >/dev/null || PATH=$PATH:/usr/sbin command -v $need >/dev/null || { echo "nfs-lab: $need is missing; apt-get install -y user-mode-linux nfs-kernel-server nfs-common kmod iproute2" >&2; exit 2; }; done
amx=; if grep -qw amx_tile /proc/cpuinfo; then amx=yes; command -v cc >/dev/null || { echo "nfs-lab: cc is missing, which it needs on a processor with AMX; apt-get install -y gcc libc6-dev" >&2; exit 2; }; fi
lab=$(mktemp -d /var/tmp/nfs-lab.XXXXXX) uml=
halt() { [ -z "$uml" ] || { pkill -9 -P "$uml"; kill -9 "$uml"; } 2>/dev/null || true; }
trap 'halt; rm -rf "$lab"' EXIT; trap 'exit 143' TERM INT HUP
{ printf 'cd %q\n' "$PWD"; export -p | grep -vE ' (PATH|PWD|OLDPWD|SHLVL|TMPDIR|_)='; printf 'export PATH=%q\n' "$lab:$PATH:/usr/sbin:/sbin"; printf 'exec'; printf ' %q' "$@"; echo; } >"$lab/command"

cat >"$lab/nfs-lab" <<'TOOL'
#!/bin/bash
set -e
opts=vers=4.1,nosharecache,hard,timeo=600,retrans=2
case ${1:-} in
  up) exportfs -i -o rw,sync,fsid=0,no_root_squash,no_subtree_check,insecure 127.0.0.1:$NFS_EXPORT; rpc.nfsd -N 3 -V 4.1 -V 4.2 --no-udp 8 ;;
  down) rpc.nfsd 0 ;;
  stale) exportfs -u 127.0.0.1:$NFS_EXPORT; exportfs -f ;;
  mount) mkdir -p "$2"; mount -t nfs4 -o "${3:-$opts}" 127.0.0.1:/ "$2" ;;
  umount) umount -l "$2" ;;
  *) echo "nfs-lab up|down|stale|mount DIR [OPTIONS]|umount DIR" >&2; exit 2 ;;
esac
TOOL
chmod +x "$lab/nfs-lab"

cat >"$lab/init" <<INIT
#!/bin/bash
lab=$lab here=$(printf %q "$PWD")
INIT
cat >>"$lab/init" <<'INIT'
export PATH=$lab:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
{
  mkdir "$lab/here"; mount --bind "$here" "$lab/here"
  mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /tmp
  mount -t tmpfs tmpfs /var/lib/nfs; mount -t tmpfs tmpfs /mnt; [ -d "$here" ] || { mkdir -p "$here"; mount --bind "$lab/here" "$here"; }; mkdir -p /dev/shm; mount -t tmpfs tmpfs /dev/shm
  chmod 1777 /tmp /dev/shm; ip link set lo up; hostname nfs-lab
  mkdir -p /run/k/lib/modules; ln -s "/usr/lib/uml/modules/$(uname -r)" "/run/k/lib/modules/$(uname -r)"
  modprobe -d /run/k nfsd; modprobe -d /run/k nfsv4; modprobe -d /run/k fuse
  export NFS_EXPORT=/run/export NFS_A=/mnt/nfs-a NFS_B=/mnt/nfs-b
  mkdir -p $NFS_EXPORT /var/lib/nfs/{sm,v4recovery,rpc_pipefs}; mount -t tmpfs tmpfs $NFS_EXPORT; chmod 777 $NFS_EXPORT; touch /var/lib/nfs/{etab,rmtab,state}
  mount -t nfsd nfsd /proc/fs/nfsd; mount -t rpc_pipefs rpc /var/lib/nfs/rpc_pipefs
  echo 5 >/proc/fs/nfsd/nfsv4leasetime; echo 5 >/proc/fs/nfsd/nfsv4gracetime
  rpc.mountd -N 2 -N 3 --no-udp; nfs-lab up; nfs-lab mount $NFS_A; nfs-lab mount $NFS_B
} >"$lab/boot.log" 2>&1
if mountpoint -q /mnt/nfs-b; then bash "$lab/command" </dev/null >"$lab/out" 2>&1; echo $? >"$lab/status"; else cat "$lab/boot.log" >"$lab/out"; echo 125 >"$lab/status"; fi
sync; kill -9 -1 2>/dev/null; poweroff -f
INIT
chmod +x "$lab/init"; : >"$lab/out"

[ -z "$amx" ] || cc -O2 -shared -fPIC -o "$lab/xstate.so" "$(dirname "$0")/nfs-lab-xstate.c" -ldl
TMPDIR=${TMPDIR:-/tmp} env ${amx:+LD_PRELOAD="$lab/xstate.so"} linux.uml mem="${mem}M" root=/dev/root rootfstype=hostfs rootflags=/ rw init="$lab/init" con=null con0=fd:0,fd:1 </dev/null >"$lab/console" 2>&1 & uml=$!
tail -n +1 -f "$lab/out" --pid=$uml & shown=$!
for ((i = 0; i < limit * 5; i++)); do kill -0 $uml 2>/dev/null || break; [ -f "$lab/status" ] && { sleep 1; break; }; sleep 0.2; done
status=124; [ -f "$lab/status" ] && status=$(cat "$lab/status")
halt; wait $uml 2>/dev/null || true; sleep 0.3; kill $shown 2>/dev/null || true; wait $shown 2>/dev/null || true
[ -f "$lab/status" ] || { echo "nfs-lab: no end within $limit s, or the kernel stopped; its last words:" >&2; tail -25 "$lab/console" >&2; }
exit "$status"
