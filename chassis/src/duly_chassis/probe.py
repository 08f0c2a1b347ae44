"""`python -m duly_chassis.probe`: asks the service in this container whether it lives, for an image without curl.

It imports nothing of the house, since it is started every few seconds. Exit code 0: alive.
"""

import http.client
import os
import sys

ASK_DEADLINE_S = 2.0
HOST = "127.0.0.1"


def alive(port: int) -> bool:
    """Ask /health/live on this machine."""
    connection = http.client.HTTPConnection(HOST, port, timeout=ASK_DEADLINE_S)
    try:
        connection.request("GET", "/health/live")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(not alive(int(os.environ["DULY_HTTP_PORT"])))
