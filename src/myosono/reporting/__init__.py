"""Room: reporting (see docs/architecture.md).

Draws what evaluation found into one HTML file that needs nothing else.
"""

from myosono.reporting.comparison_report import write_comparison
from myosono.reporting.heat_map_report import write_heat_maps
from myosono.reporting.reproduction_report import write_reproduction
from myosono.reporting.run_report import write_evaluation_report, write_run_report
from myosono.reporting.stress_report import write_stress

__all__ = [
    "write_comparison",
    "write_evaluation_report",
    "write_heat_maps",
    "write_reproduction",
    "write_run_report",
    "write_stress",
]
