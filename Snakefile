# The study, from pictures to figures:  snakemake --cores all
# The table of contents is workflow/Snakefile.


include: "workflow/Snakefile"


# An included rule is never the default target by itself; without this line nothing would run.
workflow.default_target = "all"
