"""Computed questions on devices: energy, speed-up, the roofline, several models on one device, exits and hierarchies."""

from grading.colloquy.draw import Draw
from grading.colloquy.formula import listed, show
from grading.colloquy.types import KNOWS, MADE, MEASURES, Computed, Problem


def inference_energy(draw: Draw) -> Problem:
    idle, busy, latency = draw.decimal(1.5, 4.0, 1), draw.decimal(6.0, 14.0, 1), draw.decimal(3.0, 40.0, 1)
    answer = (busy - idle) * latency
    return Problem(
        {"idle": idle, "busy": busy, "latency": latency},
        f"A board draws {idle} W idle and {busy} W while it runs a network that takes {latency} ms an image. How many "
        "millijoules does one image cost above idle?",
        answer,
        f"({busy} W − {idle} W) · {latency} ms = {show(answer)} mJ.",
        {
            "did not subtract idle power": busy * latency,
            "divided by the time": 1000 * (busy - idle) / latency,
            "gave joules": answer / 1000,
        },
    )


def battery_life(draw: Draw) -> Problem:
    capacity, volts = draw.integer(10, 50) * 100, draw.choice((3.7, 5.0, 7.4))
    sleep, active, share = draw.decimal(0.1, 0.6, 1), draw.decimal(3.0, 9.0, 1), draw.integer(5, 40)
    mean = (active * share + sleep * (100 - share)) / 100
    answer = capacity / 1000 * volts / mean
    return Problem(
        {"capacity": capacity, "volts": volts, "sleep": sleep, "active": active, "share": share},
        f"A device with a {capacity} mAh, {volts} V battery draws {active} W for {share} % of the time and {sleep} W otherwise. "
        "For how many hours does the battery last?",
        answer,
        f"{show(capacity / 1000 * volts)} Wh / {show(mean)} W = {show(answer)} h.",
        {
            "took the active power only": capacity / 1000 * volts / active,
            "took the mean of both powers": capacity / 1000 * volts / ((active + sleep) / 2),
            "left out the voltage": capacity / 1000 / mean,
        },
    )


def counter_wrap(draw: Draw) -> Problem:
    maximum = draw.choice((262143, 65532))
    first, seconds = maximum - draw.integer(20, 400), draw.integer(5, 20)
    second = draw.integer(50, 900)
    answer = (second + maximum - first) / seconds
    return Problem(
        {"maximum": maximum, "first": first, "second": second, "seconds": seconds},
        f"A RAPL energy counter that starts again at 0 after {maximum} J showed {first} J and, {seconds} s later, {second} J. "
        "It passed its end once. What was the average power in watts?",
        answer,
        f"({second} + {maximum} − {first}) / {seconds} = {show(answer)} W.",
        {
            "ignored the wrap": (first - second) / seconds,
            "left out the rest before the wrap": second / seconds,
            "gave joules": answer * seconds,
        },
    )


def amdahl(draw: Draw) -> Problem:
    share, factor = draw.integer(50, 92), draw.decimal(1.5, 8.0, 1)
    answer = 1 / (1 - share / 100 + share / 100 / factor)
    return Problem(
        {"share": share, "factor": factor},
        f"Convolutions take {share} % of a network's time. They become {factor} times as fast, the rest stays as it is. By "
        "which factor is the whole network faster?",
        answer,
        f"1 / ({show(1 - share / 100)} + {show(share / 100)}/{factor}) = {show(answer)} (Amdahl's law).",
        {
            "forgot the rest": factor,
            "took the mean": share / 100 * factor + 1 - share / 100,
            "gave the limit": 1 / (1 - share / 100),
        },
    )


def roofline(draw: Draw) -> Problem:
    peak, bandwidth = draw.integer(20, 200) * 10, draw.integer(15, 110)
    flops, traffic = draw.integer(5, 120) * 10, draw.integer(2, 60)
    compute, memory = flops / peak, traffic / bandwidth
    answer = max(compute, memory)
    return Problem(
        {"peak": peak, "bandwidth": bandwidth, "flops": flops, "traffic": traffic},
        f"A device does {peak} GFLOP/s at most and reads {bandwidth} GB/s at most. A layer does {flops} MFLOP and moves "
        f"{traffic} MB. By the roofline model, how many milliseconds does it take at least?",
        answer,
        f"max({flops}/{peak}, {traffic}/{bandwidth}) = max({show(compute)}, {show(memory)}) = {show(answer)} ms: bound by "
        f"{'computing' if compute > memory else 'memory'}.",
        {"took the other limit": min(compute, memory), "added the two": compute + memory},
    )


def ridge_throughput(draw: Draw) -> Problem:
    peak, bandwidth, intensity = draw.integer(40, 300) * 10, draw.integer(15, 100), draw.decimal(0.5, 9.0, 1)
    answer = min(peak, bandwidth * intensity)
    return Problem(
        {"peak": peak, "bandwidth": bandwidth, "intensity": intensity},
        f"A depthwise convolution does {intensity} FLOP for each byte it moves. The device does at most {peak} GFLOP/s and "
        f"{bandwidth} GB/s. Which percentage of its peak can the layer reach by the roofline model?",
        100 * answer / peak,
        f"min({peak}, {bandwidth}·{intensity}) / {peak} = {show(100 * answer / peak)} %.",
        {"divided by the intensity": 100 * bandwidth / intensity / peak, "gave GFLOP/s": answer},
    )


def frame_rate_left(draw: Draw) -> Problem:
    fps = (draw.choice((10, 15, 20, 25, 30)), draw.choice((5, 8, 10, 12)))
    latencies = (draw.decimal(8, 20, 1), draw.decimal(15, 35, 1))
    last = draw.decimal(9, 30, 1)
    busy = sum(f * t for f, t in zip(fps, latencies, strict=True)) / 1000
    while not 0.2 < busy < 0.85:
        latencies = (draw.decimal(8, 20, 1), draw.decimal(15, 35, 1))
        busy = sum(f * t for f, t in zip(fps, latencies, strict=True)) / 1000
    answer = (1 - busy) * 1000 / last
    return Problem(
        {"fps": fps, "latencies": latencies, "last": last},
        f"One accelerator runs models one after the other: detection ({latencies[0]} ms) on {fps[0]} frames a second, "
        f"segmentation ({latencies[1]} ms) on {fps[1]}. How many frames a second are left at most for a third model of {last} "
        "ms?",
        answer,
        f"Busy: ({fps[0]}·{latencies[0]} + {fps[1]}·{latencies[1]}) / 1000 = {show(busy)}; left: {show(1 - busy)}·1000 / {last} "
        f"= {show(answer)}.",
        {
            "ran them in parallel": 1000 / last,
            "shared by three": 1000 / last / 3,
            "ran one after one": 1000 / (sum(latencies) + last),
        },
    )


def pipeline_rate(draw: Draw) -> Problem:
    stages = draw.decimals(3, 2.0, 15.0, 1)
    answer = 1000 / max(stages)
    return Problem(
        {"stages": stages},
        f"A network is split over CPU, GPU and DLA, which work on three images at the same time and take {listed(stages)} ms "
        "for their parts. How many images a second come out in the steady state?",
        answer,
        f"The slowest stage sets the pace: 1000 / {max(stages)} = {show(answer)}.",
        {"added the stages": 1000 / sum(stages), "took the mean": 3000 / sum(stages), "took the fastest": 1000 / min(stages)},
    )


def early_exit(draw: Draw) -> Problem:
    first, rest, share = draw.decimal(1.0, 6.0, 1), draw.decimal(8.0, 30.0, 1), draw.integer(30, 85)
    answer = first + (100 - share) / 100 * rest
    return Problem(
        {"first": first, "rest": rest, "share": share},
        f"A network with an early exit takes {first} ms up to the exit and {rest} ms more to its end. {share} % of the images "
        "leave early. What is the mean latency in ms?",
        answer,
        f"{first} + {show((100 - share) / 100)}·{rest} = {show(answer)} ms.",
        {
            "charged late images for the rest only": share / 100 * first + (100 - share) / 100 * rest,
            "swapped the shares": first + share / 100 * rest,
            "charged everyone for all": first + rest,
        },
    )


def hierarchy_macs(draw: Draw) -> Problem:
    features, coarse, fine = draw.choice((64, 128, 256, 512)), draw.integer(5, 20), draw.integer(3, 9)
    answer = features * (coarse + fine)
    return Problem(
        {"features": features, "coarse": coarse, "fine": fine},
        f"A hierarchical classifier on {features} features first decides among {coarse} superclasses, then with that "
        f"superclass's own layer among its {fine} classes. How many MACs do the dense layers (no biases) take for one image?",
        answer,
        f"{features} · ({coarse} + {fine}) = {answer}: one superclass's layer runs, the others do not.",
        {"counted a flat classifier": features * coarse * fine, "ran every layer": features * (coarse + coarse * fine)},
    )


def training_energy(draw: Draw) -> Problem:
    cards, watts, hours, overhead = draw.integer(2, 8), draw.integer(20, 45) * 10, draw.integer(6, 60), draw.decimal(1.1, 1.7, 2)
    answer = cards * watts * hours * overhead / 1000
    return Problem(
        {"cards": cards, "watts": watts, "hours": hours, "overhead": overhead},
        f"{cards} GPUs of {watts} W each train for {hours} h in a data centre with a power usage effectiveness (PUE) of "
        f"{overhead}. How many kWh is that?",
        answer,
        f"{cards} · {watts} W · {hours} h · {overhead} / 1000 = {show(answer)} kWh.",
        {"left out the PUE": answer / overhead, "divided by the PUE": answer / overhead**2, "counted one GPU": answer / cards},
    )


def break_even(draw: Draw) -> Problem:
    spent, before, after = draw.decimal(0.5, 9.0, 1), draw.integer(60, 300), draw.integer(10, 50)
    answer = spent * 3.6e6 / ((before - after) / 1000) / 1e6
    return Problem(
        {"spent": spent, "before": before, "after": after},
        f"Compressing a model cost {spent} kWh of training. An inference takes {after} mJ instead of {before} mJ now. After how "
        "many million inferences is that energy saved?",
        answer,
        f"{spent} · 3.6·10^[6] J / {show((before - after) / 1000)} J = {show(answer)}·10^[6].",
        {
            "divided by the new energy": spent * 3600 / after,
            "divided by the old energy": spent * 3600 / before,
            "took 1 kWh for 1 MJ": answer / 3.6,
        },
    )


QUESTIONS = (
    Computed("inference-energy", "energy", "l12", 14, MEASURES, 1, inference_energy, "mJ"),
    Computed("battery-life", "energy", "l12", 14, MEASURES, 2, battery_life, "h"),
    Computed("counter-wrap", "energy", "l12", 14, MEASURES, 2, counter_wrap, "W"),
    Computed("training-energy", "energy", "l12", 14, MEASURES, 1, training_energy, "kWh"),
    Computed("energy-break-even", "energy", "l12", 14, MEASURES, 2, break_even),
    Computed("amdahl", "devices", "l10", 10, KNOWS, 1, amdahl),
    Computed("roofline-time", "devices", "l10", 12, KNOWS, 2, roofline, "ms"),
    Computed("roofline-share", "devices", "l10", 12, KNOWS, 2, ridge_throughput, "%"),
    Computed("frame-rate-left", "devices", "l11", 13, MADE, 2, frame_rate_left),
    Computed("pipeline-rate", "devices", "l11", 13, KNOWS, 1, pipeline_rate),
    Computed("early-exit", "hybrid models", "l19", None, MEASURES, 1, early_exit, "ms"),
    Computed("hierarchy-macs", "hybrid models", "l17", None, KNOWS, 2, hierarchy_macs, "MAC", True),
)
