#!/usr/bin/env bash
# Snapshard over NFS 4.2 and 3, with the kernel's own server and client.
#
#   test/nfs/run.sh [PART[=PATTERN]…]                         on this kernel, if it has nfsd, an NFS client and veth
#   test/nfs/run.sh [PART[=PATTERN]…] LAUNCHER [ARGUMENT…]    on another: `LAUNCHER ARGUMENT… COMMAND…` runs a command as
#                       root on a kernel that has them, with these same files (a virtual machine, user-mode Linux)
#
# Parts, all by default; of one with a pattern, the trials that match it:
#   ranks    eight ranks save over two mounts of one directory; ten minutes on one slow processor
#   suite    the tests of test/integration with their roots on a mount, but for those of `bench` and `tune`
#   faults   the server goes away in the middle, two writers meet, files are deleted behind the client's back, root is
#            nobody, the export is full
#   bench    `snapshard bench` on mounts with different options
#
# Needs root, a built package, and Debian's nfs-kernel-server, nfs-common and iproute2; installs nothing. MODPROBE says
# how modules are loaded, if not by `modprobe`. The server, the clients and their mounts live in namespaces of their own:
# nothing else on the machine sees them, and nothing is left. Two mounts belong to two clients, each with a network
# namespace and a host name of its own: they share no cache, no lock and no connection. (`nosharecache` alone would give
# two caches to one client, and would not be a default.)
# The launcher must allow for the time. User-mode Linux ends processes of which it cannot map all pages: before it,
# `sysctl -w vm.max_map_count=4000000` on the host.
# It prints a table and ends with `N passed, N failed`. CI does not run it: it has
# no kernel for it.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH=$PATH:/usr/sbin:/sbin

if [[ "${1:-}" != --inside ]]; then
  parts=()
  while [[ "${1:-}" =~ ^(ranks|suite|faults|bench)(=|$) ]]; do
    parts+=("$1")
    shift
  done
  "$@" unshare --mount --mount-proc --net --uts --pid --fork --kill-child bash test/nfs/run.sh --inside "${parts[@]}"
  exit
fi
shift

load_modules() {
  local module
  for module in nfsd nfsv3 nfsv4 veth sch_netem loop; do
    # Without modules, all that the kernel can do is built in.
    ${MODPROBE:-modprobe} "$module" || true
  done
}

# The folder of all exports is the root of NFS 4.
start_server() {
  local shared=/mnt/shared
  ip link set lo up
  for directory in /run /var/lib/nfs /mnt; do mount -t tmpfs tmpfs "$directory"; done
  mkdir -p /run/lock /var/lib/nfs/sm /var/lib/nfs/sm.bak /var/lib/nfs/v4recovery "$shared"
  touch /var/lib/nfs/etab /var/lib/nfs/rmtab
  mount -t nfsd nfsd /proc/fs/nfsd
  mount -t tmpfs -o size=1M tmpfs "$shared"
  rpcbind
  rpc.mountd
  rpc.nfsd --grace-time 10 --lease-time 10 8
  trap stop EXIT
  exportfs -o ro,no_root_squash,insecure,no_subtree_check,fsid=0 "10.77.0.0/16:$shared"
}

# A client whose server is gone waits for it for ever.
stop() {
  umount --force --lazy /mnt/[0-9]* 2>/dev/null || true
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

load_modules
start_server
for client in 1 2; do add_client "$client"; done
node --import tsx test/nfs/main.ts "$@"
