"""What holds connections, and closes them where a block ends."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Closing(ABC):
    """Close it, or use it as a context."""

    @abstractmethod
    def close(self) -> None:
        """Close its connections. It is of no use after that."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
