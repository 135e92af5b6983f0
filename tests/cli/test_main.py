"""What the command line settles before any verb runs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from myosono.cli.main import SPIN_COUNT, wait_briefly


@pytest.mark.parametrize("chosen", [{"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": "7"}])
def test_a_users_own_waiting_policy_stands(chosen):
    environment = dict(chosen)
    wait_briefly(environment)
    assert environment == chosen


def test_threads_wait_briefly_before_torch_is_loaded():
    program = (
        "import json, os, sys\n"
        "os.environ.pop('OMP_WAIT_POLICY', None), os.environ.pop('GOMP_SPINCOUNT', None)\n"
        "import myosono.cli.main as main\n"
        "main.app = lambda: print(json.dumps([os.environ['GOMP_SPINCOUNT'], 'torch' in sys.modules]))\n"
        "main.main()\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert json.loads(told) == [SPIN_COUNT, False]
