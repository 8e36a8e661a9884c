"""tracking owns what happened: experiments, runs, metrics, params, tags, datasets, logged models
and artifacts. It answers MLflow's tracking API and tells every change as a fact. It does not own
registered models and their versions: it hears of them from the registry, for the tags they leave
on logged models.
"""
