"""registry owns what exists: registered models, their versions, tags, aliases and stages, and
where the files of a version lie. It does not own runs, logged models or files: it knows them from
tracking's facts, and asks tracking only where those have not arrived yet.
"""
