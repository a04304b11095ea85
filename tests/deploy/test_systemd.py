# SPDX-License-Identifier: Apache-2.0
"""apt installs the package on a Debian of its own; systemd starts, watches, reloads and stops it; upgrade, removal, purge."""
import os
import re
import shutil

import pytest
from machine import Machine

CAPABILITIES = 1 << 39 | 1 << 38 | 1 << 19 | 1 << 2 | 1 << 40  # BPF PERFMON SYS_PTRACE DAC_READ_SEARCH CHECKPOINT_RESTORE
LIFE = r"""
systemctl is-enabled sonde && exit 1
systemctl is-active sonde && exit 1
systemctl start sonde
pid=$(systemctl show -p MainPID --value sonde)
grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/$pid/status
curl -sf http://127.0.0.1:9464/readyz
curl -sf http://127.0.0.1:9464/metrics | grep -E '^sonde_probe_state.*(failed|works)'
systemctl reload sonde
systemctl is-active sonde
echo 'nonsense: 1' >>/etc/sonde/config.yaml
systemctl reload sonde
sleep 1
systemctl is-active sonde
systemctl stop sonde
systemctl start sonde && exit 1
systemctl show -p ExecMainStatus -p NRestarts sonde
sed -i '/nonsense/d' /etc/sonde/config.yaml
mkdir -p /etc/systemd/system/sonde.service.d
printf "[Service]\nWatchdogSec=10\n" >/etc/systemd/system/sonde.service.d/watchdog.conf
systemctl daemon-reload
systemctl start sonde
sleep 25
echo "alive $(systemctl show -p NRestarts sonde)"
kill -STOP $(systemctl show -p MainPID --value sonde)
sleep 60
echo "hung $(systemctl show -p NRestarts sonde)"
systemctl is-active sonde
journalctl --no-pager -u sonde
"""
REMOVAL = r"""
systemctl start sonde
echo '# mine' >>/etc/sonde/config.yaml
first=$(systemctl show -p MainPID --value sonde)
dpkg -i --force-confold /test/sonde.deb
second=$(systemctl show -p MainPID --value sonde)
[ "$first" != "$second" ]
systemctl is-active sonde
grep '# mine' /etc/sonde/config.yaml
systemctl enable sonde
apt-get -qy remove sonde
pgrep -x sonde && exit 1
[ -e /etc/sonde/config.yaml ]
[ ! -e /usr/bin/sonde ]
apt-get -qy purge sonde
[ ! -e /etc/sonde ]
[ ! -e /var/lib/sonde ]
[ ! -e /etc/systemd/system/multi-user.target.wants/sonde.service ]
"""


@pytest.fixture
def machine(deb):
    if not os.path.exists("/sys/kernel/btf/vmlinux"):
        pytest.skip("the kernel has no BTF")
    with Machine() as made:
        shutil.copy(deb, f"{made.root}/test/sonde.deb")
        made.run("apt-get", "-q", "update")
        made.run("apt-get", "-qy", "--no-install-recommends", "install", "/test/sonde.deb")
        yield made


def test_life(machine):
    assert machine.run("sonde", "version").startswith("sonde ")
    said = machine.boot(LIFE)
    status = dict(re.findall(r"^(\w+):\s+(\S+)", said, re.M))
    assert status["Uid"] != "0"
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == CAPABILITIES
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    families = re.findall(r'^sonde_probe_state\{family="(\w+)",state="(\w+)"\} 1', said, re.M)
    assert ("process", "works") in families and not [f for f, state in families if state == "failed"], families
    # A wrong file leaves the one in force; with it sonde does not start, and is not started again and again.
    assert "the configuration in force stays" in said
    assert "ExecMainStatus=2\n" in said and "NRestarts=0\n" in said
    assert "alive NRestarts=0" in said and "hung NRestarts=1" in said
    assert "Watchdog timeout" in said


def test_upgrade_and_removal(machine):
    machine.boot(REMOVAL)
