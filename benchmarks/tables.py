"""Write the documentation's tables of what kgenn supports, from the code itself.

    python -m benchmarks.tables

Each layer is read, checked and lowered inside a small model; its row is the result.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.families.architectures import FAMILIES
from benchmarks.families.table import HEAD, REPORTS, families_first, family_rows, stored
from benchmarks.zoo import costs
from kgenn.backends import TARGETS
from kgenn.cli.listing import methods
from kgenn.conversion import CONVERTERS
from kgenn.conversion.constraints import FEATURES, violations
from kgenn.conversion.data_norm import DataNorm
from kgenn.conversion.plan import plan
from kgenn.conversion.recipe import recipe_of
from kgenn.conversion.rewriting import rewritten
from kgenn.encoders import ENCODERS, encoders_of
from kgenn.frontend.input_shape import InputShape
from kgenn.frontend.model_config import read_model
from kgenn.frontend.topology import Plans, build_graph
from kgenn.ir.graph import Graph
from kgenn.layers import LAYERS
from kgenn.layers.weights import StoredArray
from kgenn.passes import lower
from kgenn.registry import summary

CONV = {"filters": 4, "kernel_size": [3, 3], "use_bias": False, "activation": "relu"}
CONV_1D = {**CONV, "kernel_size": [3]}
DEPTHWISE = {"kernel_size": [3, 3], "use_bias": False, "activation": "relu"}
POOL, POOL_1D = {"pool_size": [2, 2]}, {"pool_size": [2]}
IMAGE, SEQUENCE, VECTOR, VOLUME = [8, 8, 4], [8, 4], [8], [8, 8, 8, 4]

# A Keras class, the input it is tried on, and its options there.
SAMPLES: Sequence[tuple[str, list[int], dict[str, Any]]] = (
    ("Conv2D", IMAGE, CONV),
    ("Conv1D", SEQUENCE, CONV_1D),
    ("DepthwiseConv2D", IMAGE, DEPTHWISE),
    ("DepthwiseConv1D", SEQUENCE, {**DEPTHWISE, "kernel_size": [3]}),
    ("SeparableConv2D", IMAGE, CONV),
    ("SeparableConv1D", SEQUENCE, CONV_1D),
    ("Conv3D", VOLUME, {**CONV, "kernel_size": [3, 3, 3]}),
    ("LocallyConnected2D", IMAGE, CONV),
    ("LocallyConnected1D", SEQUENCE, CONV_1D),
    ("EinsumDense", IMAGE, {"equation": "abcd,de->abce", "output_shape": [None, None, 4], "activation": "relu"}),
    ("Dense", VECTOR, {"units": 4, "use_bias": False, "activation": "relu"}),
    ("AveragePooling2D", IMAGE, POOL),
    ("AveragePooling1D", SEQUENCE, POOL_1D),
    ("AveragePooling3D", VOLUME, {"pool_size": [2, 2, 2]}),
    ("GlobalAveragePooling2D", IMAGE, {}),
    ("GlobalAveragePooling1D", SEQUENCE, {}),
    ("AdaptiveAveragePooling2D", IMAGE, {"output_size": [3, 3]}),
    ("MaxPooling2D", IMAGE, POOL),
    ("MaxPooling1D", SEQUENCE, POOL_1D),
    ("MaxPooling3D", VOLUME, {"pool_size": [2, 2, 2]}),
    ("GlobalMaxPooling2D", IMAGE, {}),
    ("GlobalMaxPooling1D", SEQUENCE, {}),
    ("AdaptiveMaxPooling2D", IMAGE, {"output_size": [3, 3]}),
    ("Conv2DTranspose", IMAGE, {**CONV, "strides": [2, 2]}),
    ("Conv1DTranspose", SEQUENCE, {**CONV_1D, "strides": [2]}),
    ("Conv3DTranspose", VOLUME, {**CONV, "kernel_size": [3, 3, 3], "strides": [2, 2, 2]}),
    ("UpSampling2D", IMAGE, {"size": [2, 2]}),
    ("UpSampling2D(bilinear)", IMAGE, {"size": [2, 2], "interpolation": "bilinear"}),
    ("UpSampling1D", SEQUENCE, {"size": 2}),
    ("UpSampling3D", VOLUME, {"size": [2, 2, 2]}),
    ("Cropping2D", IMAGE, {"cropping": [[1, 1], [1, 1]]}),
    ("Cropping1D", SEQUENCE, {"cropping": [1, 1]}),
    ("Cropping3D", VOLUME, {"cropping": [[1, 1], [1, 1], [1, 1]]}),
    ("ReLU", IMAGE, {}),
    ("ReLU(max_value)", IMAGE, {"max_value": 6.0}),
    ("LeakyReLU", IMAGE, {"negative_slope": 0.1}),
    ("Activation(swish)", IMAGE, {"activation": "swish"}),
    ("Softmax", IMAGE, {}),
    ("BatchNormalization", IMAGE, {}),
    ("Rescaling", IMAGE, {"scale": 0.5}),
    ("Normalization", IMAGE, {"axis": -1}),
    ("ZeroPadding2D", IMAGE, {"padding": [[1, 1], [1, 1]]}),
    ("ZeroPadding1D", SEQUENCE, {"padding": [1, 1]}),
    ("Resizing", IMAGE, {"height": 4, "width": 4}),
    ("CenterCrop", IMAGE, {"height": 4, "width": 4}),
    ("Flatten", IMAGE, {}),
    ("Reshape", IMAGE, {"target_shape": [64, 4]}),
    ("Permute", IMAGE, {"dims": [2, 1, 3]}),
    ("Add", IMAGE, {}),
    ("Subtract", IMAGE, {}),
    ("Average", IMAGE, {}),
    ("Concatenate", IMAGE, {}),
    ("Multiply", IMAGE, {}),
    ("Dot", VECTOR, {"axes": 1}),
    ("Attention", SEQUENCE, {}),
    ("AdditiveAttention", SEQUENCE, {"use_scale": False}),
    ("RepeatVector", VECTOR, {"n": 3}),
    ("RandomFlip", IMAGE, {}),
    ("Dropout", IMAGE, {}),
)
# Of these, the ones that join two inputs.
MERGING = (
    "Add",
    "AdditiveAttention",
    "Attention",
    "Average",
    "Concatenate",
    "Dot",
    "Maximum",
    "Minimum",
    "Multiply",
    "Subtract",
)


def sample_graph(class_name: str, shape: list[int], options: Mapping[str, Any]) -> Graph:
    """Return a graph: input, 1×1 convolution or dense layer with ReLU, the layer, flatten, dense."""
    first: dict[str, Any] = {"units": 4, "use_bias": False, "activation": "relu"}
    layers: list[tuple[str, str, dict[str, Any], list[str]]] = [
        ("InputLayer", "input", {"batch_shape": [None, *shape], "dtype": "float32"}, []),
        ("Dense", "first", first, ["input"]),
        (
            class_name,
            "layer",
            dict(options),
            ["first", "first"] if class_name in MERGING else ["first"],
        ),
        ("Flatten", "flat", {}, ["layer"]),
        ("Dense", "last", {"units": 2, "use_bias": False, "activation": "linear"}, ["flat"]),
    ]
    entries = [
        {
            "class_name": name,
            "name": label,
            "config": {"name": label, "trainable": True, **config},
            "inbound_nodes": [[[source, 0, 0, {}] for source in sources]] if sources else [],
        }
        for name, label, config, sources in layers
    ]
    ends = {"input_layers": [["input", 0, 0]], "output_layers": [["last", 0, 0]]}
    config = {"class_name": "Functional", "config": {"name": "sample", "layers": entries, **ends}}

    def ones(plans: Plans) -> Mapping[tuple[str, ...], Sequence[StoredArray]]:
        return {
            path: [StoredArray(slot.name, np.ones(slot.shape, np.float32)) for slot in slots]
            for path, slots in plans.items()
        }

    return build_graph(read_model(config, "sample"), "sample", ones, InputShape())


def layer_rows() -> Iterator[tuple[str, str, str, str]]:
    """Yield (layer, what it becomes, the flags it needs, the converters that take it)."""
    by_code = {feature.code: feature.name for feature in FEATURES.values()}
    recipe = recipe_of()
    pieces = recipe.pieces(recipe.converter.default_timesteps)
    for label, shape, options in SAMPLES:
        graph = sample_graph(label.split("(")[0], shape, options)
        needed = [by_code.get(d.code, "") for d in violations(graph, DataNorm(), ())]
        flags = ", ".join(f"`--allow {name}`" for name in dict.fromkeys(needed) if name) or "strict"
        plans = plan(graph, rewritten(lower(graph, recipe.lowering), pieces, "never"))
        becomes = next(fate.becomes for fate in plans if fate.layer.startswith("layer "))
        names = sorted(CONVERTERS.table)
        cannot = [name for name in names if violations(graph, CONVERTERS.get(name)(), tuple(FEATURES))]
        if len(cannot) == len(names):
            yield f"`{label}`", "read only", "no", "no"
        else:
            yield f"`{label}`", becomes, flags, f"all but {listed(cannot)}" if cannot else "all"


def method_rows() -> Iterator[tuple[str, ...]]:
    """Yield (name with a link to its page, rule, code, encoders, timesteps) of each converter."""
    for row in _built_in():
        encoders = listed(row["encoders"].split(", "))
        yield f"[{row['name']}]({row['name']}.md)", row["description"], row["code"], encoders, row["timesteps"]


def feature_rows() -> Iterator[tuple[str, ...]]:
    """Yield a converter's name, and yes or no for each feature and for signed input."""
    for row in _built_in():
        declared = row["represents"].split(", ")
        answers = ("yes" if feature in declared else "no" for feature in (*FEATURES, "signed input"))
        yield f"`{row['name']}`", *answers


def _built_in() -> Iterator[dict[str, str]]:
    return (row for row in methods() if row["name"] in CONVERTERS.table)


def encoder_rows() -> Iterator[tuple[str, str, str]]:
    """Yield (encoder, what it does, the converters that take its spikes)."""
    for name in sorted(ENCODERS.table):
        takers = [c for c in sorted(CONVERTERS.table) if name in encoders_of(CONVERTERS.get(c).code)]
        everyone = len(takers) == len(sorted(CONVERTERS.table))
        yield f"`{name}`", summary(ENCODERS.get(name)), "all" if everyone else listed(takers)


def cost_tables() -> Iterator[str]:
    """Yield for each network of the page of costs a heading and its table."""
    for model, cells in costs.networks(costs.stored()):
        ann, count = 100 * cells[0]["ann"], cells[0]["samples"]
        yield f"### {model}: {ann:.2f} % on {count:,.0f} images\n"
        yield markdown(costs.HEAD, list(costs.cost_rows(cells)))


def listed(names: Sequence[str]) -> str:
    """Return names as code, with commas."""
    return ", ".join(f"`{name}`" for name in names)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in cells)]) + "\n"


def tables() -> dict[str, str]:
    """Return each table by its name in `PAGES`."""
    missing = {name.split("(")[0] for name, _, _ in SAMPLES} - set(LAYERS.table)
    assert not missing, f"samples of unknown layers: {missing}"
    features = [f"`{feature}`" for feature in FEATURES]
    targets = [(f"`{name}`", summary(TARGETS.get(name))) for name in sorted(TARGETS.table)]
    families, others = families_first(stored(), FAMILIES)
    method_head = ("method", "rule", "code", "encoders, the default first", "default T")
    return {
        "layers": markdown(("layer", "becomes", "profile", "converters"), list(layer_rows())),
        "methods": markdown(method_head, list(method_rows())),
        "features": markdown(("method", *features, "signed input"), list(feature_rows())),
        "encoders": markdown(("encoder", "does", "converters"), list(encoder_rows())),
        "targets": markdown(("target", "is"), targets),
        "families": markdown(HEAD, list(family_rows(families))),
        "networks": markdown(HEAD, list(family_rows(others))),
        "reports": markdown(HEAD, list(family_rows(stored(REPORTS)))),
        "costs": "\n".join(cost_tables()),
    }


# The page of each table, in `docs`.
PAGES: Mapping[str, str] = {
    "layers": "reference/layers.md",
    "methods": "methods/index.md",
    "features": "methods/index.md",
    "encoders": "concepts/encoders.md",
    "targets": "reference/layers.md",
    "families": "measured/networks.md",
    "networks": "measured/networks.md",
    "reports": "measured/networks.md",
    "costs": "measured/costs.md",
}
DOCS = Path(__file__).parents[1] / "docs"


def pages() -> dict[Path, str]:
    """Return the text of each page with each table between `<!-- table NAME -->` and `<!-- end -->` replaced."""
    texts = {name: (DOCS / name).read_text(encoding="utf-8") for name in PAGES.values()}
    for name, table in tables().items():
        pattern = rf"(<!-- table {name} -->\n).*?(<!-- end -->)"
        page = PAGES[name]
        texts[page], count = re.subn(
            pattern, lambda m, t=table: f"{m[1]}\n{t}\n{m[2]}", texts[page], flags=re.DOTALL
        )
        assert count == 1, f"{page} has {count} places for the table {name}"
    return {DOCS / name: text for name, text in texts.items()}


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
