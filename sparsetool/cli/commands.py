"""The commands."""

from collections.abc import Callable
from typing import Annotated

import typer

from sparsetool.cli import (
    bench_commands,
    build_commands,
    compress_command,
    conversion_commands,
    packing_commands,
    quantization_commands,
    reading_commands,
    recipe_commands,
    report_commands,
    size_command,
    target_commands,
    verification_commands,
)
from sparsetool_converters.exit_codes import ExitCode

EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code.value}  {code.meaning}" for code in ExitCode)

app = typer.Typer(
    name="sparsetool",
    help="Turn a trained network into the smallest .tflite file that still runs, and runs right.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# In the order of --help, each with an example.
COMMANDS: tuple[tuple[Callable[..., None], str], ...] = (
    (recipe_commands.run, recipe_commands.RUN_EXAMPLE),
    (recipe_commands.config, recipe_commands.CONFIG_EXAMPLE),
    (recipe_commands.prune, recipe_commands.PRUNE_EXAMPLE),
    (recipe_commands.plot, recipe_commands.PLOT_EXAMPLE),
    (report_commands.report, report_commands.REPORT_EXAMPLE),
    (compress_command.compress, compress_command.COMPRESS_EXAMPLE),
    (size_command.size, size_command.SIZE_EXAMPLE),
    (conversion_commands.plan, conversion_commands.PLAN_EXAMPLE),
    (conversion_commands.densify, conversion_commands.DENSIFY_EXAMPLE),
    (packing_commands.pack, packing_commands.PACK_EXAMPLE),
    (packing_commands.unpack, packing_commands.UNPACK_EXAMPLE),
    (build_commands.embed, build_commands.EMBED_EXAMPLE),
    (verification_commands.verify, verification_commands.VERIFY_EXAMPLE),
    (report_commands.diff, report_commands.DIFF_EXAMPLE),
    (bench_commands.bench, bench_commands.BENCH_EXAMPLE),
    (reading_commands.inspect, reading_commands.INSPECT_EXAMPLE),
    (target_commands.explain, target_commands.EXPLAIN_EXAMPLE),
    (quantization_commands.quantizations, quantization_commands.QUANTIZATIONS_EXAMPLE),
    (build_commands.cmake_dir, build_commands.CMAKE_DIR_EXAMPLE),
    (report_commands.schema, report_commands.SCHEMA_EXAMPLE),
)
for command, example in COMMANDS:
    app.command(epilog=example)(command)
app.add_typer(target_commands.targets, name="targets")


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from sparsetool import __version__

        typer.echo(f"sparsetool {__version__}")
        raise typer.Exit
