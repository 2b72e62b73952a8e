"""Situations from public trackers of this field, by their roots, and the tests that hold each.

``python -m benchmarks robustness`` runs the tests and counts the situations that fail.
"""

from __future__ import annotations

from typing import NamedTuple


class Situation(NamedTuple):
    """What somebody does, under the root of what goes wrong, and the tests of the right answer."""

    root: str
    what: str
    tests: tuple[str, ...]


QUERIES, NESTING = "neighbors/test_queries.py::test_", "persistence/test_nesting.py::test_"
EXACT, RESCORED = "neighbors/test_exactness.py::test_", "neighbors/rescored/test_rescored.py::test_"
HAMMING, TABLES = (
    "neighbors/hamming/test_hamming.py::test_",
    "neighbors/hash_tables/test_lsh.py::test_",
)
STORE, STREAMS = "neighbors/store/test_store.py::test_", "task_geometric/test_streams.py::test_"
ENCODERS, MODULES = (
    "task_geometric/test_user_encoders.py::test_",
    "deep/test_user_modules.py::test_",
)
WEIGHTS, CV = "task_geometric/test_weights.py::test_", "task_geometric/test_cv.py::test_"
LEARNING = "task_geometric/test_learning.py::test_"
INPUTS = "task_geometric/test_hasher_inputs.py::test_bad_input_is_named_and_changes_nothing"

_TABLE: dict[str, dict[str, str | tuple[str, ...]]] = {
    "bits or values": {
        "scores of 0 and 1 alone and beside others": (
            QUERIES + "a_score_of_zero_expects_neither_bit_in_any_batch",
            QUERIES + "values_with_zeros_asked_one_by_one",
        ),
        "the type of a query": QUERIES + "integers_are_codes_and_floating_point_numbers_are_scores",
        "scores in a metric": "metrics/test_representations.py",
    },
    "files": {
        "a hasher inside of an index": NESTING + "each_hasher_inside_of_indexes_and_pipelines",
        "a pipeline with transformers of scikit-learn": NESTING + "transformers_of_scikit_learn",
        "arrays in column order": NESTING + "arrays_go_to_the_file_in_row_order",
    },
    "weights": {
        "weights of 1 / n": WEIGHTS + "only_ratios_of_weights_count",
        "balanced weights": WEIGHTS + "balanced_classes_are_not_lost",
    },
    "digits": {
        "rows far from the origin": EXACT + "offsets",
        "a row's distance from itself": (
            EXACT + "a_row_is_at_distance_zero_from_itself_and_none_is_nearer"
        ),
        "near duplicates": EXACT + "near_duplicates",
        "tiny and huge rows": (EXACT + "scales", EXACT + "asymmetric_families_of_any_scale"),
        "vectors of a store": EXACT + "vectors_of_a_store",
    },
    "types of added rows": {
        "rows beyond the range of one byte": (
            RESCORED + "rows_added_beyond_the_type_or_the_range_of_the_first"
        ),
    },
    "columns": {
        "columns in another order": "neighbors/test_columns.py",
        "an array's columns beside a named one": (
            "test_features_only.py::test_columns_of_an_array_beside_one_with_a_name"
        ),
    },
    "labels and ids": {
        "members of an Enum": (
            "test_targets.py::test_members_of_an_enum_are_their_values",
            HAMMING + "ids_that_are_members_of_an_enum",
        ),
        "one long id": HAMMING + "one_long_id_costs_its_own_length",
    },
    "streams": {
        "labels of two kinds": STREAMS + "labels_of_mixed_kinds_are_refused_as_by_partial_fit",
        "chunks without rows": (
            STREAMS + "chunks_without_rows_are_skipped",
            "test_distributed.py::test_partitions_without_rows_are_skipped",
        ),
        "chunks that hold several tasks": STREAMS + "sums_of_steps_and_of_a_stream_are_the_same",
        "dask arrays of unknown lengths": (
            "test_distributed.py::test_arrays_that_do_not_know_the_lengths_of_their_chunks"
        ),
    },
    "networks of a user's": {
        "outputs that depend on the batch": ENCODERS + "errors_name_the_encoder_and_change_nothing",
        "a frozen backbone": MODULES + "a_frozen_backbone_stays_as_it_was",
        "another number of outputs": MODULES + "errors_name_the_module_and_change_nothing",
        "layers that draw": (
            MODULES + "draws_in_training_are_repeatable",
            ENCODERS + "lazy_layers_are_repeatable_and_stay_the_users_own",
        ),
    },
    "parameters after fit": {
        "tables and metric of an index": TABLES + "parameters_of_fit_count_from_the_next_fit_on",
        "a mask of integers": HAMMING + "more_bad_input_is_named_and_changes_nothing",
        "the default family of a metric": (
            TABLES + "the_default_family_of_euclidean_distances_finds_most_neighbours",
            TABLES + "the_default_family_warns_of_inner_products",
        ),
    },
    "paths": {
        "names of one folder": STORE + "every_name_of_a_folder_has_the_same_lock",
        "a symbolic link": NESTING + "a_link_stays_and_its_target_is_replaced",
    },
    "small": {
        "groups of a splitter": (
            CV + "rows_of_a_group_stay_in_one_fold",
            CV + "groups_are_routed",
        ),
        "export of another class": "test_export.py::test_what_cannot_be_exported_is_told_what_can",
        "classes of given codes": LEARNING + "given_codes_are_reproduced",
        "a graph of no queries": HAMMING + "no_query_has_an_empty_graph",
        "a report on sparse rows": (
            "evaluation/test_evaluation.py::test_report_of_sparse_rows_is_that_of_dense_ones"
        ),
        "texts, and a column of tasks left in": INPUTS,
        "a file of somebody else": (
            "persistence/test_files.py::test_a_file_that_was_never_ours_is_told_from_a_damaged_one"
        ),
    },
}
SITUATIONS = [
    Situation(root, what, tests if isinstance(tests, tuple) else (tests,))
    for root, group in _TABLE.items()
    for what, tests in group.items()
]
