"""Devices of three kinds under one description: here, remote, and estimated from public data.

    profile = measure_on(read_device("here"), artifact, images)
    profile = measure_on(read_device("tls://192.168.1.10:8786/jetson-1"), artifact, images)      # measured there
    profile = measure_on(read_device("raspberry-pi-5"), artifact, images)                         # calculated: latency_estimate

A remote device runs `projectkit agent`, a Dask worker that measures one job at a time. A course with a Jetson, from the start:

1. Certificates, once, on the teacher's machine. Only what this authority has signed gets in; keep authority.key to yourself, and
   make the second and third line again for each device and each student under other names:

       openssl req -x509 -newkey rsa:3072 -nodes -days 365 -subj /CN=course -keyout authority.key -out authority.pem
       openssl req -new -newkey rsa:3072 -nodes -subj /CN=jetson-1 -keyout jetson-1.key -out jetson-1.csr
       openssl x509 -req -in jetson-1.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 365 -out jetson-1.pem

2. The scheduler, on a machine that all can reach (it measures nothing; with the extra `device` of projectkit-labs):

       dask scheduler --protocol tls --port 8786 --dashboard-address 127.0.0.1:8787 --tls-ca-file authority.pem \\
           --tls-cert scheduler.pem --tls-key scheduler.key

3. The agent, on the device (extra `device`, no TensorFlow). Its name is its own; labels may be shared by devices of a kind:

       projectkit agent --scheduler tls://192.168.1.10:8786 --name jetson-1 --label jetson \\
           --tls-ca-file authority.pem --tls-cert jetson-1.pem --tls-key jetson-1.key

4. A measurement, from anywhere; without /jetson any free device takes it:

       projectkit measure model.tflite --device tls://192.168.1.10:8786/jetson \\
           --tls-ca-file authority.pem --tls-cert ada.pem --tls-key ada.key
       projectkit devices --scheduler tls://192.168.1.10:8786 …

The three TLS options may be left out where Dask's own configuration names the files (distributed.comm.tls). tcp:// is refused
but for this machine itself. What a certificate allows, and what an agent is not for, stands in `devices.agent`.
"""

from projectkit.devices.addresses import parse_address, read_description, read_device
from projectkit.devices.calibrate import Calibration, Comparison, calibrate
from projectkit.devices.conditions import power_mode, read_conditions
from projectkit.devices.estimate import LayerEstimate, estimate, profile_estimate
from projectkit.devices.known import KNOWN
from projectkit.devices.measured_roofline import MeasuredRoofline, measure_roofline
from projectkit.devices.measuring import compare_on, measure_on
from projectkit.devices.remote import Connected, connected, measure_remote
from projectkit.devices.roofline import Roofline, peak, ridge, seconds
from projectkit.devices.types import Device, Estimated, Here, Remote, Tls

__all__ = [
    "KNOWN",
    "Calibration",
    "Comparison",
    "Connected",
    "Device",
    "Estimated",
    "Here",
    "LayerEstimate",
    "MeasuredRoofline",
    "Remote",
    "Roofline",
    "Tls",
    "calibrate",
    "compare_on",
    "connected",
    "estimate",
    "measure_on",
    "measure_remote",
    "measure_roofline",
    "parse_address",
    "peak",
    "power_mode",
    "profile_estimate",
    "read_conditions",
    "read_description",
    "read_device",
    "ridge",
    "seconds",
]
