#!/bin/sh
# Run as root by ./quickstart: installs packages of the distribution without starting any service of theirs.
# A run that was killed before is completed first. Usage: install_packages.sh PACKAGE...
set -eu
export DEBIAN_FRONTEND=noninteractive

# One at a time: the apt-get of a run that was killed may still be at work, and holds this lock too.
exec 8>/run/skerry-install.lock
flock -w 300 8

policy=/usr/sbin/policy-rc.d
mark="# Made by Skerry's ./quickstart while it installs packages. If none runs, remove this file."

# What a killed run left behind is known by its mark, and goes in the end; another's policy is left alone.
tidy() {
    if [ -e "$policy" ] && grep -qxF "$mark" "$policy"; then rm -f "$policy"; fi
}
trap tidy EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy.skerry"
    chmod 0755 "$policy.skerry"
    mv "$policy.skerry" "$policy"
fi

had_broker=$(dpkg-query -W -f '${db:Status-Status}' rabbitmq-server 2>/dev/null || true)

# Completes what a killed run left half done; a moment when there is nothing. Its dpkg may be at work yet: it goes on when
# apt-get is killed. Other trouble shows in the installation itself.
tries=120
while [ -n "$(dpkg --audit)" ] && ! told=$(dpkg --configure -a 2>&1); do
    printf '%s\n' "$told"
    tries=$((tries - 1))
    case $told in *lock*) [ $tries -gt 0 ] || break ;; *) break ;; esac
    sleep 1
done
if [ $# -gt 0 ]; then
    # The lists may be as old as the machine's image, or missing.
    if ! find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -mmin -1440 2>/dev/null | grep -q .; then
        apt-get -o DPkg::Lock::Timeout=120 -q update
    fi
    install() { apt-get -o DPkg::Lock::Timeout=120 -q -y --no-install-recommends install "$@"; }
    # Lists that name a version which has been replaced since give a "not found": then they are fetched anew.
    install "$@" || { apt-get -o DPkg::Lock::Timeout=120 -q update && install "$@"; }
fi

# The broker of the system was not asked for, only its program: it is not to start with the machine either.
if [ "$had_broker" != installed ] && [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]; then
    for unit in rabbitmq-server.service epmd.service epmd.socket; do
        if command -v systemctl >/dev/null; then systemctl --quiet disable "$unit" 2>/dev/null || true; fi
    done
    if command -v update-rc.d >/dev/null; then update-rc.d rabbitmq-server disable >/dev/null 2>&1 || true; fi
fi
