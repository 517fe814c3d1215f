"""`weft demo`: a real classifier on the compiled RTL, checked bit for bit, priced."""

import argparse
import json
import sys
import time
from pathlib import Path

from .output import output_folder

__all__ = ["add_parser", "run"]


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Registers the verb."""
    parser = subparsers.add_parser(
        "demo",
        help="run a trained classifier on the simulated chip and check every bit",
        description="Trains a small network on the scikit-learn digits, quantises it to int8, "
        "runs the held-out third on the device layer by layer, compares every value with numpy, "
        "and writes an HTML report with a timeline, energy and a first fleet answer.",
    )
    parser.add_argument("--preset", default="quad", help="preset or TOML file (default: quad)")
    parser.add_argument("--target", default="rtl", help="rtl or model (default: rtl)")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("build/demo"), help="folder of the report"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs the verb. Exit code 1 if a value differs from the golden."""
    from weft.demo.digits import train_digits
    from weft.demo.energy import energy_of
    from weft.demo.report import demo_report
    from weft.demo.run import LayerRun, run_classifier
    from weft.fleet.first_answer import first_answer, render
    from weft.report.timeline import perfetto_json, spans_of
    from weft.targets import check_target, resolve_config

    start = time.monotonic()
    config = resolve_config(options.preset)
    check_target(options.target, config)
    output_folder(options.output)

    def say(text: str) -> None:
        print(f"[{time.monotonic() - start:6.1f} s] {text}", file=sys.stderr, flush=True)

    def layer_done(layer: LayerRun) -> None:
        verdict = "bit-exact" if layer.bit_exact else f"{layer.mismatches} values WRONG"
        cycles = layer.last_cycle - layer.first_cycle
        say(f"  {layer.m} x {layer.k} x {layer.n}: {cycles:,} cycles, {verdict}")

    say("training a digits classifier and quantising it to int8")
    classifier = train_digits()
    say(f"running {len(classifier.images)} held-out images on {options.target}, {config.name}")
    result = run_classifier(classifier, options.target, config, on_layer=layer_done)
    say("the same program on the cycle model")
    model = run_classifier(classifier, "model", config)
    energy = energy_of(result)
    answer = first_answer()

    report = options.output / "report.html"
    report.write_text(demo_report(classifier, result, energy, answer, model.cycles))
    trace = options.output / "trace.json"
    trace.write_text(perfetto_json(config, spans_of(result.trace)))

    total_nj = sum(line.energy_nj for line in energy)
    low_nj, high_nj = sum(line.low_nj for line in energy), sum(line.high_nj for line in energy)
    if options.json:
        print(
            json.dumps(
                {
                    "bit_exact": result.bit_exact,
                    "accuracy": result.accuracy,
                    "float_accuracy": classifier.float_accuracy,
                    "images": result.images,
                    "cycles": result.cycles,
                    "model_cycles": model.cycles,
                    "macs": result.macs,
                    "utilisation": result.utilisation,
                    "bytes_read": result.bytes_read,
                    "bytes_written": result.bytes_written,
                    "energy_nj": total_nj,
                    "energy_low_nj": low_nj,
                    "energy_high_nj": high_nj,
                    "preset": config.name,
                    "target": options.target,
                    "wall_s": time.monotonic() - start,
                    "report": str(report),
                    "trace": str(trace),
                }
            )
        )
    else:
        print(
            f"\n{result.images} images on {options.target} ({config.name}): "
            f"{'bit-exact' if result.bit_exact else 'WRONG'}, accuracy {result.accuracy:.2%} "
            f"(float {classifier.float_accuracy:.2%})\n"
            f"  {result.cycles:,} cycles (cycle model {model.cycles:,}, "
            f"{model.cycles / result.cycles - 1:+.2%}), utilisation {result.utilisation:.1%}\n"
            f"  {result.bytes_read:,} bytes read, {result.bytes_written:,} written\n"
            f"  modelled energy {total_nj / 1e3:,.1f} uJ "
            f"({low_nj / 1e3:,.1f} to {high_nj / 1e3:,.1f}), "
            f"{total_nj / result.images:,.1f} nJ an image, published unit costs at 7 nm\n"
        )
        print(render(answer))
        print(f"\nreport: {report}\ntimeline for ui.perfetto.dev: {trace}")
    return 0 if result.bit_exact else 1
