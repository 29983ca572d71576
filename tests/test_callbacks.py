"""scikit-learn's callbacks, by what one is told; and that without them nothing is missed."""

import sys
from importlib.util import module_from_spec, spec_from_file_location

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from sklearn_fedphe import FederatedLinearRegression, callbacks

pytestmark = pytest.mark.usefixtures("known_key")
supported = pytest.mark.skipif(
    callbacks.framework is None, reason="scikit-learn has callbacks from 1.9 on"
)

ITERATIVE = [
    {},
    {"learning_rate": 0.2, "max_iter": 300, "tol": 1e-2},
    {"solver": "conjugate_gradient"},
]


class Recorder:
    """Keeps what it is told; at the end of the round `stop_after` it asks to stop."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.told = []

    def setup(self, estimator, context):
        self._note("setup", estimator, context)

    def teardown(self, estimator, context):
        self._note("teardown", estimator, context)

    def on_fit_task_begin(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        rows = (X, y, metadata)
        self._note("begin", estimator, context, rows=rows, fitted=fitted_estimator)

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self._note("end", estimator, context, rows=(X, y, metadata), fitted=fitted_estimator)
        return context.task_name == "round" and context.task_id + 1 == self.stop_after

    def _note(self, event, estimator, context, **given):
        self.told.append((event, context, given | {"estimator": estimator}))

    def models(self):
        return [
            given["fitted"]
            for event, context, given in self.told
            if (event, context.task_name) == ("end", "round")
        ]


class Propagated(Recorder):
    max_propagation_depth = None


def estimator(**parameters):
    return FederatedLinearRegression(key_length=2048, **parameters)


@supported
@pytest.mark.parametrize("parameters", [*ITERATIVE, {"solver": "normal_equations"}])
def test_a_fit_is_a_task_and_each_round_one(diabetes, parameters):
    recorder = Recorder()

    est = estimator(**parameters).set_callbacks(recorder).fit(*diabetes)

    rounds = [("begin", "round"), ("end", "round")] * est.n_iter_
    assert [(event, context.task_name) for event, context, _ in recorder.told] == [
        *[("setup", "fit"), ("begin", "fit")],
        *rounds,
        *[("end", "fit"), ("teardown", "fit")],
    ]
    exact = est.solver == "normal_equations"
    assert recorder.told[0][1].max_subtasks == (1 if exact else est.max_iter)
    np.testing.assert_array_equal(recorder.told[-2][2]["fitted"].coef_, est.coef_)
    plain = estimator(**parameters).fit(*diabetes)
    np.testing.assert_array_equal(est.coef_, plain.coef_)


@supported
@pytest.mark.parametrize("parameters", [*ITERATIVE, {"init": "local", "max_iter": 5, "tol": None}])
def test_no_row_is_handed_to_a_callback(diabetes, parameters):
    recorder = Recorder()

    estimator(**parameters).set_callbacks(recorder).fit(*diabetes)

    rows = [given["rows"] for _, _, given in recorder.told if "rows" in given]
    assert set(rows) == {(None, None, None)}


@supported
@pytest.mark.parametrize("parameters", ITERATIVE)
@pytest.mark.parametrize("n_rounds", [1, 2, 7])
def test_a_model_is_that_of_a_fit_that_makes_no_more_rounds(diabetes, parameters, n_rounds):
    recorder = Recorder()
    estimator(**parameters).set_callbacks(recorder).fit(*diabetes)

    model = recorder.models()[n_rounds - 1]

    short = estimator(**parameters | {"max_iter": n_rounds, "tol": None}).fit(*diabetes)
    np.testing.assert_array_equal(model.predict(diabetes[0]), short.predict(diabetes[0]))
    assert model.n_iter_ == short.n_iter_ == n_rounds


@supported
@pytest.mark.parametrize("parameters", ITERATIVE)
@pytest.mark.parametrize("n_rounds", [1, 7])
def test_a_callback_that_answers_true_stops_the_fit_without_a_warning(
    diabetes, parameters, n_rounds
):
    recorder = Recorder(stop_after=n_rounds)

    est = estimator(**parameters).set_callbacks(recorder).fit(*diabetes)

    assert est.n_iter_ == len(est.gradient_norms_) == n_rounds
    assert recorder.told[-1][0] == "teardown"
    np.testing.assert_array_equal(recorder.models()[-1].coef_, est.coef_)


@supported
def test_names_of_an_earlier_fit_are_not_those_of_a_later_model(diabetes):
    pd = pytest.importorskip("pandas")
    X, y = diabetes
    est = estimator(max_iter=2, tol=None).fit(pd.DataFrame(X).add_prefix("x"), y)
    recorder = Recorder()

    est.set_callbacks(recorder).fit(X, y)

    assert recorder.models()[0].predict(X).shape == (442,)


@supported
def test_clients_that_start_alone_have_no_common_model_before_the_end(diabetes):
    recorder = Recorder()

    est = estimator(init="local", max_iter=4, tol=None).set_callbacks(recorder).fit(*diabetes)

    assert recorder.models() == [None] * 4
    assert est.n_rounds_ == 2 + 4 + 1


@supported
def test_a_fit_that_fails_ends_its_callbacks(diabetes):
    recorder = Recorder()
    est = estimator(learning_rate=1e6).set_callbacks(recorder)

    with pytest.raises(ValueError, match="diverges"):
        est.fit(*diabetes)

    assert recorder.told[-1][0] == "teardown"
    assert {name for name in vars(est) if "callback" in name} == {"_skl_callbacks"}


@supported
def test_a_search_passes_its_callbacks_on(diabetes):
    recorder = Propagated()
    search = GridSearchCV(estimator(max_iter=3, tol=None), {"alpha": [0.0, 1.0]}, cv=2)

    search.set_callbacks(recorder).fit(*diabetes)

    rounds = [c for event, c, _ in recorder.told if (event, c.task_name) == ("end", "round")]
    assert len(rounds) == (2 * 2 + 1) * 3
    assert {c.estimator_name for c in rounds} == {"FederatedLinearRegression"}
    assert {c.parent.source_estimator_name for c in rounds} == {"GridSearchCV"}
    assert [event for event, _, _ in recorder.told].count("teardown") == 1


@supported
def test_progress_bars_show_rounds(diabetes, capsys):
    pytest.importorskip("rich")
    from sklearn.callback import ProgressBar

    estimator(max_iter=3, tol=None).set_callbacks(ProgressBar()).fit(*diabetes)

    assert "FederatedLinearRegression - fit" in capsys.readouterr().out


@supported
def test_scoring_monitor_finds_no_rows_to_score(diabetes):
    from sklearn.callback import ScoringMonitor

    monitor = ScoringMonitor(scoring="r2")
    est = estimator(max_iter=3, tol=None).set_callbacks(monitor).fit(*diabetes)

    log = monitor.get_logs().data
    assert [row["task_name"] for row in log].count("round") == est.n_iter_
    assert not any("r2" in row for row in log)


def test_the_fit_says_where_it_was_called_from(diabetes):
    with pytest.warns(ConvergenceWarning) as record:
        estimator(max_iter=2).fit(*diabetes)

    assert record[0].filename == __file__


@pytest.fixture
def on_an_older_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.callback", None)
    spec = spec_from_file_location("sklearn_fedphe.older_callbacks", callbacks.__file__)
    older = module_from_spec(spec)
    spec.loader.exec_module(older)
    return older


def test_on_an_older_scikit_learn_a_fit_is_no_task(on_an_older_scikit_learn):
    older = on_an_older_scikit_learn
    task = older.FitTask(clone(estimator()))

    task.begin_round()
    assert not task.end_round(None)
    task.end()

    @older.with_callbacks
    def fit(self, *args, **kwargs):
        return self, args, kwargs

    assert fit(1, 2, three=3) == (1, (2,), {"three": 3})
    assert fit.__name__ == "fit"
    assert older.CallbackSupport is older.NoCallbackSupport


@pytest.mark.skipif(callbacks.framework is not None, reason="here there are callbacks")
def test_without_callbacks_there_is_no_way_to_set_any():
    assert not hasattr(FederatedLinearRegression, "set_callbacks")
