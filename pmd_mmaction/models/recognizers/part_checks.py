"""Whether terms fit the views of a model and the phases of a curriculum."""

from typing import Collection

from pmd_mmaction.functional import Phase
from pmd_mmaction.models.maskers import Views
from pmd_mmaction.models.terms import DARETerm, Term


def check_views(terms: Collection[Term], views: Views, nested: bool) -> None:
    """Refuses terms that read patches which the views do not have.

    Args:
        terms: all terms of the loss.
        views: what is seen and decoded.
        nested: whether the auxiliary teacher has a wider view of its own.

    Raises:
        ValueError: naming what does not fit.
    """
    if nested and views.decode is not None:
        raise ValueError(
            "aux_mask='nested' needs predictions at all masked patches: leave out "
            "views.decode, or use aux_mask='same'"
        )
    if not views.whole_clip:
        return
    for term in terms:
        if isinstance(term, DARETerm):
            raise ValueError(
                'views.decode.whole_clip=True decodes visible patches, whose losses are no '
                'difficulties: leave it out, or the term of DARE'
            )
        if term.reads_masked:
            raise ValueError(
                f'{type(term).__name__} looks at masked patches, and with '
                'views.decode.whole_clip=True some of those decoded are visible: leave it '
                "out, or use align_tokens='visible'"
            )


def check_reach(terms: Collection[Term], depth: int, phase: Phase) -> None:
    """Refuses a phase in which no loss reaches the last layers of the student.

    Args:
        terms: those that have a loss in the phase.
        depth: layers of the student.
        phase: the phase, for the message.

    Raises:
        ValueError: if all of them read inner layers alone, or there is none.
    """
    # a term on the last layer trains all but the last norm
    inner = (term.student_layers and max(term.student_layers) < depth - 1 for term in terms)
    if all(reads and not term.decodes for reads, term in zip(inner, terms)):
        names = ', '.join(type(term).__name__ for term in terms) or 'no term'
        raise ValueError(
            f'{names} in phase {phase.index + 1}: no loss reaches the last layers of the student, '
            'which would stay as they are drawn. Add a term that reads predictions in every '
            'phase, such as BaseTerm'
        )


def check_decoders(decoders: Collection[str], terms: Collection[Term], phase: Phase) -> None:
    """Refuses a phase in which a decoder is trained by no loss.

    Args:
        decoders: names of the teachers whose features are decoded.
        terms: those that have a loss in the phase.
        phase: the phase, for the message.

    Raises:
        ValueError: naming the decoders.
    """
    trained = {name for term in terms if term.decodes for name in term.teachers or decoders}
    if idle := sorted(set(decoders) - trained):
        raise ValueError(
            f'no loss trains the decoder of {", ".join(idle)} in phase {phase.index + 1}, so PSD '
            'would learn from one that is as it was drawn: give a term that needs no auxiliary '
            'teacher, such as BaseTerm, these teachers too'
        )
