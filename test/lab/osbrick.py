"""os-brick as a server: one JSON request per line on standard input, one JSON answer per line on standard output.

{"op": "connect", "protocol": ..., "properties": ..., "multipath": ...}                  -> {"seconds": ..., "info": ...}
{"op": "disconnect", "protocol": ..., "properties": ..., "multipath": ..., "info": ...}  -> {"seconds": ...}
{"op": "describe", "ip": ..., "multipath": ...}                                          -> {"seconds": ..., "info": ...}
Whatever goes wrong                                                                      -> {"error": ...}

A baseline should be at its best: the modules are loaded once, before the first request, and privileged calls
run in this process instead of through a daemon.
"""

import json
import os
import sys
import time

import os_brick
from os_brick import privileged
from oslo_concurrency import lockutils
from oslo_config import cfg

LOCKS = "/run/os-brick-locks"


def set_up():
    privileged.default.set_client_mode(False)
    os.makedirs(LOCKS, exist_ok=True)
    lockutils.set_defaults(LOCKS)
    cfg.CONF([], project="lab")
    os_brick.setup(cfg.CONF)


def answer(request):
    from os_brick.initiator import connector  # only after os_brick.setup()

    if request["op"] == "describe":
        start = time.monotonic()
        info = connector.get_connector_properties("", request["ip"], request["multipath"], False)
        return {"seconds": time.monotonic() - start, "info": info}

    properties = request["properties"]
    volume = connector.InitiatorConnector.factory(
        request["protocol"], "", use_multipath=request["multipath"], device_scan_attempts=5
    )
    start = time.monotonic()
    if request["op"] == "connect":
        info = volume.connect_volume(properties)
        return {"seconds": time.monotonic() - start, "info": info}

    volume.disconnect_volume(properties, request["info"])
    return {"seconds": time.monotonic() - start}


def main():
    # Only answers may go to standard output, whatever a library prints.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    set_up()
    for line in sys.stdin:
        try:
            print(json.dumps(answer(json.loads(line))), file=answers)
        except Exception as error:
            print(json.dumps({"error": f"{type(error).__name__}: {error}"}), file=answers)


main()
