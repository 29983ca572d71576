"""Python reads this at the start of a server's processes: all that passes them is written down."""

import os

from nvflare.fuel.f3.cellnet.core_cell import CoreCell

received = CoreCell.process_message


def recorded(self, endpoint, connection, app_id, message):
    if message.payload is not None:
        with open(os.environ["RECORD_TO"], "ab") as file:  # noqa: PTH123 - in every process
            file.write(bytes(message.payload) + b"\n--\n")
    received(self, endpoint, connection, app_id, message)


CoreCell.process_message = recorded
