"""What the device makes of a page, computed once: it follows from the page, so it is remembered over all runs."""

from typing import Final

from acomp import PAGE_SIZE
from iaa_emulator.hardware import silicon
from iaa_emulator.hardware.descriptor import COMPRESS

from ..model.corpus import Remembered

outcome_of: Final = Remembered(lambda page: silicon.perform(COMPRESS, page, 2 * PAGE_SIZE))
