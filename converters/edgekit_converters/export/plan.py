"""What each target gets: its scheme and its type of inputs and outputs."""

from dataclasses import dataclass

from edgekit.errors import UsageError
from edgekit.flatbuffer.io_types import IoType
from edgekit.targets import Target, load_target
from edgekit_converters.export.checks import refuse
from edgekit_converters.quantize.scheme import scheme_facts
from edgekit_converters.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One artifact to make.

    Attributes:
        target: The device.
        scheme: Quantization scheme.
        io: Type of inputs and outputs.
    """

    target: Target
    scheme: str
    io: IoType


def plans(recipe: Recipe) -> tuple[Plan, ...]:
    """Decide what every target of the recipe gets.

    Raises:
        UnknownName: A target or scheme has no such name.
        TargetError: The wishes do not fit a target; the message has every reason.
        UsageError: The wish contradicts itself, or calibration data are missing.
    """
    targets = [load_target(name) for name in dict.fromkeys(recipe.targets)]
    refuse({target.name: _misfits(target, recipe) for target in targets})
    made = tuple(_plan(target, recipe) for target in targets)
    needy = sorted({plan.scheme for plan in made if scheme_facts(plan.scheme).calibrated})
    if recipe.qat and any(plan.scheme != "int8" for plan in made):
        msg = f"--qat trains for int8; asked for {', '.join(p.scheme for p in made)}."
        raise UsageError(msg)
    _refuse_float_layers(made, recipe)
    if recipe.diagnose and not needy:
        msg = (
            "--diagnose compares integer layers with float ones; "
            f"{', '.join(p.scheme for p in made)} computes in float. Use --scheme int8."
        )
        raise UsageError(msg)
    if recipe.integer_only and any(plan.scheme != "int8" for plan in made):
        msg = f"--integer-only is for int8; asked for {', '.join(p.scheme for p in made)}."
        raise UsageError(msg)
    if needy and recipe.ranges_from is None:
        msg = (
            f"Scheme {', '.join(needy)} takes its ranges from data, and none were given.\n"
            "Add --calibrate DATA: a folder of 50 or more typical inputs, an .npz or an .npy.\n"
            "Or try --calibrate synthetic: random inputs, whose ranges are guesses."
        )
        raise UsageError(msg)
    return made


def _misfits(target: Target, recipe: Recipe) -> list[str]:
    """Say what of the wishes a target cannot take, before anything is converted."""
    found = []
    scheme = recipe.scheme or target.scheme
    integers = {"edgetpu": ("Edge TPU", "8-bit"), "npu": ("Ethos-U", "8- and 16-bit")}
    if target.delegate in integers:
        title, bits = integers[target.delegate]
        possible = ("int8",) if target.delegate == "edgetpu" else ("int8", "int16x8")
        if scheme not in possible:
            found.append(
                f"the {title} runs {bits} integers only; asked for {scheme}. "
                f"Leave --scheme out, or use {' or '.join(possible)}."
            )
        if recipe.keep_float or recipe.auto_keep_float:
            found.append(
                f"the {title} runs {bits} integers only, and whatever follows a float layer "
                f"would run on the CPU; asked for {_float_option(recipe)}. "
                "Leave it out; --round and --qat win accuracy back in integers."
            )
    if target.io_choices and recipe.io and recipe.io not in target.io_choices:
        found.append(
            f"its runtime takes inputs and outputs of {' or '.join(target.io_choices)}; asked "
            f"for {recipe.io}. Leave --io out."
        )
    return found


def _float_option(recipe: Recipe) -> str:
    return "--keep-float" if recipe.keep_float else "--auto-keep-float"


def _refuse_float_layers(made: tuple[Plan, ...], recipe: Recipe) -> None:
    """Refuse to keep layers in float where all of them are.

    Raises:
        UsageError: The scheme computes in float anyway.
    """
    if not (recipe.keep_float or recipe.auto_keep_float):
        return
    for plan in made:
        if not scheme_facts(plan.scheme).calibrated:
            msg = (
                f"{_float_option(recipe)} is for int8 and int16x8; {plan.scheme} computes in "
                "float anyway."
            )
            raise UsageError(msg)


def _plan(target: Target, recipe: Recipe) -> Plan:
    scheme = recipe.scheme or target.scheme
    facts = scheme_facts(scheme)
    io = recipe.io or (target.io if target.io in facts.io else facts.io[0])
    kinds = ", ".join(facts.io)
    if io not in facts.io:
        msg = f"Scheme {scheme} has inputs and outputs of {kinds}; asked for {io}."
        raise UsageError(msg)
    return Plan(target=target, scheme=scheme, io=io)
