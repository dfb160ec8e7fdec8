"""Lower a graph as Keras wrote it to one of linear layers and ReLUs.

Each pass is a pure function of a graph and the lowering options. It leaves what the graph computes unchanged,
changes nothing when run twice, and where it declines it adds a note that says why.
"""

from __future__ import annotations

from collections.abc import Callable

from kgenn.ir.graph import Graph
from kgenn.passes.activation import fuse_relus, leave_output_activations_to_host
from kgenn.passes.attention import expand_attention
from kgenn.passes.batch_norm import fold_batch_norm
from kgenn.passes.concatenation import split_relus_of_concatenations
from kgenn.passes.contractions import expand_contractions
from kgenn.passes.glu import expand_glus
from kgenn.passes.increasing import pool_before_increasing
from kgenn.passes.layout import absorb_into_input, cancel_permutes
from kgenn.passes.max_pool import fold_padding_into_max_pool, place_max_pool_sources, rectify_before_max_pool
from kgenn.passes.noops import drop_identities
from kgenn.passes.options import LoweringOptions
from kgenn.passes.pairs import extrema_as_relus, fuse_gates, split_merges
from kgenn.passes.pooling import place_pool_populations
from kgenn.passes.quotients import divide_by_multiplying
from kgenn.passes.relays import relay_factors
from kgenn.passes.residual import insert_identity_populations
from kgenn.passes.single_values import give_single_values_an_axis
from kgenn.passes.softmax import expand_softmaxes
from kgenn.passes.standardise import expand_normalisations
from kgenn.passes.straight import straighten

Pass = Callable[[Graph, LoweringOptions], Graph]

PASSES: tuple[Pass, ...] = (
    give_single_values_an_axis,
    drop_identities,
    cancel_permutes,
    absorb_into_input,
    leave_output_activations_to_host,
    expand_attention,
    expand_contractions,
    expand_glus,
    expand_softmaxes,
    expand_normalisations,
    split_relus_of_concatenations,
    pool_before_increasing,
    divide_by_multiplying,
    split_merges,
    fuse_gates,
    extrema_as_relus,
    straighten,
    fold_batch_norm,
    rectify_before_max_pool,
    cancel_permutes,  # a ReLU that was moved may now follow a transposition, or a concatenation
    split_relus_of_concatenations,
    fold_batch_norm,
    fuse_relus,
    insert_identity_populations,
    place_pool_populations,
    fold_padding_into_max_pool,
    place_max_pool_sources,
    relay_factors,
)

__all__ = ["PASSES", "LoweringOptions", "Pass", "lower"]


def lower(graph: Graph, options: LoweringOptions) -> Graph:
    """Run every pass in order."""
    for apply in PASSES:
        graph = apply(graph, options)
    return graph
