#!/usr/bin/env bash
# Eight ranks save checkpoints over two NFS mounts of one directory, by NFS 4.2 and 3, with default mount options.
#
#   test/nfs/run.sh                         on this kernel, if it has nfsd, an NFS client and veth
#   test/nfs/run.sh LAUNCHER [ARGUMENT…]    on another: `LAUNCHER ARGUMENT… COMMAND…` runs a command as root on a kernel
#                                           that has them, with these same files (a virtual machine, user-mode Linux)
#
# Needs root, a built package, and Debian's nfs-kernel-server, nfs-common and iproute2; installs nothing. MODPROBE says
# how modules are loaded, if not by `modprobe`. The server, the clients and their mounts live in namespaces of their own:
# nothing else on the machine sees them, and nothing is left. The two mounts belong to two clients, each with a network
# namespace and a host name of its own: they share no cache, no lock and no connection. (`nosharecache` alone would give
# two caches to one client, and would not be a default.)
# Takes some ten minutes (the launcher must allow for that). It prints a table and ends with `N passed, N failed`. CI does not run it: it has no kernel for it.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH=$PATH:/usr/sbin:/sbin

if [[ "${1:-}" != --inside ]]; then
  "$@" unshare --mount --mount-proc --net --uts --pid --fork --kill-child bash test/nfs/run.sh --inside
  exit
fi

shared=/mnt/shared

load_modules() {
  local module
  for module in nfsd nfsv3 nfsv4 veth; do
    # Without modules, all that the kernel can do is built in.
    ${MODPROBE:-modprobe} "$module" || true
  done
}

start_server() {
  ip link set lo up
  for directory in /run /var/lib/nfs /mnt; do mount -t tmpfs tmpfs "$directory"; done
  mkdir -p /run/lock /var/lib/nfs/sm /var/lib/nfs/sm.bak /var/lib/nfs/v4recovery "$shared"
  touch /var/lib/nfs/etab /var/lib/nfs/rmtab
  mount -t nfsd nfsd /proc/fs/nfsd
  mount -t tmpfs -o size=1G tmpfs "$shared"
  rpcbind
  rpc.mountd
  rpc.nfsd --grace-time 10 --lease-time 10 8
  trap stop EXIT
  # The root of NFS 4, which needs no name; what is in memory has no identity of its own.
  exportfs -o rw,no_root_squash,insecure,no_subtree_check,fsid=0 "10.77.0.0/16:$shared"
}

# A client whose server is gone waits for it for ever.
stop() {
  umount --force --lazy /mnt/*-[12] 2>/dev/null || true
  rpc.nfsd 0
}

add_client() {
  local client=client$1 network=10.77.$1
  ip netns add "$client"
  ip link add "server$1" type veth peer name eth0 netns "$client"
  ip addr add "$network.1/24" dev "server$1"
  ip link set "server$1" up
  ip -n "$client" addr add "$network.2/24" dev eth0
  ip -n "$client" link set eth0 up
  ip -n "$client" link set lo up
}

# NFS 4 tells clients apart by the name of their host.
mount_as() {
  local client=$1 version=$2 path=/
  if [[ $version == 3 ]]; then path=$shared; fi
  mkdir -p "/mnt/$version-$client"
  nsenter --net="/run/netns/client$client" unshare --uts bash -c "hostname client$client &&
    mount -t nfs -o vers=$version 10.77.$client.1:$path /mnt/$version-$client"
}

load_modules
start_server
for client in 1 2; do
  add_client "$client"
  for version in 3 4.2; do mount_as "$client" "$version"; done
done
grep '^10\.77\.' /proc/mounts
mounts=('no NFS' "$shared" "$shared" 'NFS 4.2' /mnt/4.2-1 /mnt/4.2-2 'NFS 3' /mnt/3-1 /mnt/3-2)
node --import tsx test/nfs/main.ts "${mounts[@]}"
