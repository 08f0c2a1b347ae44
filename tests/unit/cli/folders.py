"""A small OULAD folder that a test may bend: each file as the lines of its text."""

from pathlib import Path

HEADERS = {
    "courses": "code_module,code_presentation,module_presentation_length",
    "assessments": "code_module,code_presentation,id_assessment,assessment_type,date,weight",
    "studentInfo": "code_module,code_presentation,id_student,region,final_result",
    "studentRegistration": "code_module,code_presentation,id_student,date_registration,date_unregistration",
    "studentAssessment": "id_assessment,id_student,date_submitted,is_banked,score",
}
ROWS = {
    "courses": ["AAA,2013J,268"],
    "assessments": ["AAA,2013J,1752,TMA,19,10", "AAA,2013J,1753,TMA,54,20"],
    "studentInfo": ["AAA,2013J,11391,East Anglian Region,Pass"],
    "studentRegistration": ["AAA,2013J,11391,-159,"],
    "studentAssessment": ["1752,11391,18,0,78"],
}


def folder(at: Path, **rows: list[str]) -> Path:
    """Write the five files, with other rows where given."""
    for name, header in HEADERS.items():
        lines = [header, *rows.get(name, ROWS[name])]
        (at / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return at
