"""What each target gets: its scheme and its type of inputs and outputs."""

from dataclasses import dataclass

from edgekit.errors import TargetError, UsageError
from edgekit.flatbuffer.io_types import IoType
from edgekit.targets import Target, load_target
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
        TargetError: The wish does not fit the target.
        UsageError: The wish contradicts itself, or calibration data are missing.
    """
    made = tuple(_plan(load_target(name), recipe) for name in dict.fromkeys(recipe.targets))
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


def _refuse_float_layers(made: tuple[Plan, ...], recipe: Recipe) -> None:
    """Refuse to keep layers in float where they cannot be.

    Raises:
        TargetError: The target computes in integers alone.
        UsageError: The scheme computes in float anyway.
    """
    if not (recipe.keep_float or recipe.auto_keep_float):
        return
    option = "--keep-float" if recipe.keep_float else "--auto-keep-float"
    for plan in made:
        if plan.target.delegate == "edgetpu":
            msg = (
                f"{plan.target.name}: the Edge TPU runs 8-bit integers only, and whatever "
                f"follows a float layer would run on the CPU; asked for {option}.\n"
                "Leave it out; --round and --qat win accuracy back in integers."
            )
            raise TargetError(msg)
        if not scheme_facts(plan.scheme).calibrated:
            msg = f"{option} is for int8 and int16x8; {plan.scheme} computes in float anyway."
            raise UsageError(msg)


def _plan(target: Target, recipe: Recipe) -> Plan:
    scheme = recipe.scheme or target.scheme
    facts = scheme_facts(scheme)
    if target.delegate == "edgetpu" and scheme != "int8":
        msg = (
            f"{target.name}: the Edge TPU runs 8-bit integers only; asked for {scheme}.\n"
            "Leave --scheme out, or use int8."
        )
        raise TargetError(msg)
    io = recipe.io or (target.io if target.io in facts.io else facts.io[0])
    kinds = ", ".join(facts.io)
    if io not in facts.io:
        msg = f"Scheme {scheme} has inputs and outputs of {kinds}; asked for {io}."
        raise UsageError(msg)
    return Plan(target=target, scheme=scheme, io=io)
