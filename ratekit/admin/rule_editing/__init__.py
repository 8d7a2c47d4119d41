"""Single price rules as the API shows and changes them, where a rule file is a whole state.

:mod:`.index` and :mod:`.listing` read; :mod:`.rule`, :mod:`.target` and :mod:`.group` write
through :class:`.editor.Editor`. The words are CloudKitty's: service, field, mapping.
"""
