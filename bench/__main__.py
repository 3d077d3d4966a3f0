"""The command line: `python -m bench --help`."""

import click

from bench import batches as batched
from bench import doors as costs_of_doors
from bench import growth as growth_of_costs
from bench import long_lists as long
from bench import model
from bench import nodes as spread
from bench import replica as replicas
from bench import soak as soaked
from bench.compare import Plan, compare
from bench.goals import WITH_GOALS, Results, goals, regressions
from bench.load import require_wrk
from bench.report import ratio_table, write, write_part
from bench.scenarios import SCENARIOS

_ROUNDS_OF_A_CHECK = 5
_NAMES = click.Choice([scenario.name for scenario in SCENARIOS])


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--quick", is_flag=True, help="A tenth of the tasks, one short round, only what has a goal."
)
@click.option(
    "--check",
    is_flag=True,
    help="Fail when a ratio against the floor is more than 1.5 times its goal, measured twice.",
)
@click.option("--rounds", type=click.IntRange(1), help="Rounds per figure (3; quick: 1).")
@click.option("--seconds", type=click.IntRange(1), help="Length of a round (3; quick: 1).")
@click.option("--only", type=_NAMES, multiple=True, help="One scenario; may be repeated.")
@click.pass_context
def cli(
    context: click.Context,
    quick: bool,
    check: bool,
    rounds: int | None,
    seconds: int | None,
    only: tuple[str, ...],
) -> None:
    """Measure this service beside a floor, ordinary FastAPI and an ORM.

    Writes bench/results/latest.{json,md,svg}; with --quick quick.*, with --only partial.*
    """
    require_wrk()
    if context.invoked_subcommand is not None:
        return
    size, length, starts = (100_000, 1, 1) if quick else (1_000_000, 3, 3)
    asked = only or (WITH_GOALS if quick else ())
    results = compare(Plan(size, rounds or length, seconds or length, starts, asked))
    paths = write(results, "partial" if only else "quick" if quick else "latest")
    click.echo(f"\n{ratio_table(results)}")
    for goal in goals(results):
        if not goal.is_met:
            click.echo(f"Missed: {goal.name}: {goal.reached:.2f}, goal {goal.goal:.2f}")
    click.echo(f"Written: {', '.join(str(path) for path in paths)}")
    if check:
        _check(results, size, length)


def _check(results: Results, size: int, seconds: int) -> None:
    """Fails where a ratio is far beyond its goal, and is so again in the medians of five rounds."""
    if suspects := tuple(regressions(results)):
        click.echo(f"Measured again, as it may have been the machine: {', '.join(suspects)}")
        again = compare(Plan(size, _ROUNDS_OF_A_CHECK, seconds, 1, suspects))
        if failures := regressions(again):
            raise click.ClickException("; ".join(failures.values()))


@cli.command()
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--seconds", type=click.IntRange(1), default=2, show_default=True)
@click.option("--simulated", is_flag=True, help="Only what is beyond measuring here.")
def growth(rounds: int, seconds: int, simulated: bool) -> None:
    """Show how costs grow with a user's tasks and with the store, up to 100 million tasks.

    What is beyond a million is simulated, from the last soak and benchmark.
    """
    if not simulated:
        results = growth_of_costs.grow(growth_of_costs.Plan(rounds, seconds))
        text = growth_of_costs.markdown(results)
        write_part("growth", results, text)
        click.echo(f"\n{text}")
    stores = model.simulate()
    write_part("growth-simulated", stores, model.markdown(stores))
    click.echo(f"\n{model.markdown(stores)}")


@cli.command()
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--seconds", type=click.IntRange(1), default=2, show_default=True)
def doors(rounds: int, seconds: int) -> None:
    """Show what each door costs beside the command that it performs."""
    figures = costs_of_doors.measure(rounds, seconds)
    text = costs_of_doors.markdown(figures)
    write_part("doors", costs_of_doors.results(figures), text)
    click.echo(f"\n{text}")


@cli.command()
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True)
def long_lists(rounds: int) -> None:
    """Show how long ten lists of 10,000 tasks at once block the event loop."""
    figures = long.measure(rounds)
    click.echo(
        f"Ten lists of 10,000 tasks: {figures['seconds']:.2f} s, "
        f"the loop blocked for {figures['longest_block_ms']:.1f} ms at most"
    )


@cli.command()
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--seconds", type=click.IntRange(1), default=2, show_default=True)
def replica(rounds: int, seconds: int) -> None:
    """Show what a replica takes off the primary, and what asking both costs."""
    click.echo(replicas.markdown(replicas.compare(rounds, seconds)))


@cli.command()
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--seconds", type=click.IntRange(1), default=2, show_default=True)
def batches(rounds: int, seconds: int) -> None:
    """Show what a batch of 100 creates costs beside 100 requests."""
    click.echo(batched.markdown(batched.compare(rounds, seconds)))


@cli.command()
@click.option("--writes", type=click.IntRange(1), default=2_000_000, show_default=True)
@click.option("--minutes", type=click.FloatRange(0.1), default=20, show_default=True)
def soak(writes: int, minutes: float) -> None:
    """Show whether tables and indexes level off while what is old is removed."""
    results = soaked.soak(soaked.Plan(writes, minutes))
    text = soaked.markdown(results)
    write_part("soak", results, text)
    click.echo(f"\n{text}")


@cli.command()
@click.argument("url")
@click.argument("postmasters", type=int, nargs=-1, required=True)
@click.option("--seconds", type=click.IntRange(1), default=3, show_default=True)
def nodes(url: str, postmasters: tuple[int, ...], seconds: int) -> None:
    """Show what requests cost on the migrated database at URL.

    POSTMASTERS are the process ids of the servers that hold it together.
    """
    click.echo(spread.markdown(spread.measure(url, postmasters, seconds)))


if __name__ == "__main__":
    cli(prog_name="python -m bench")
