"""Runtimes and converters that know no sparsity: GPU and NPU delegates, and whatever reads a .tflite for itself."""

from sparsetool_converters.targets.rules import Hazard, Route, Target

_SOURCE = "litert/core/model/flatbuffer_to_litert.cc:81 @ f674577: 'Sparsity tensors not yet supported.'"

PORTABLE = Target(
    name="portable",
    rules=(),
    hazards=tuple(
        Hazard(
            name=f"sparse-{route}",
            route=route,
            outcomes=None,
            effect="converters and delegates that know no sparsity refuse sparse tensors or read them as dense",
            way_out="sparsetool compress --target portable stores it dense",
            source=_SOURCE,
        )
        for route in (Route.NATIVE, Route.DENSIFY, Route.DECODE)
    ),
)
