"""What a replay shows: a folder with one page, the same as numbers, figures and a video strip.

`contents.ReportContents` is everything a report tells; `folder.write_report` makes the folder. No
ROS is needed; matplotlib is imported when figures are drawn.
"""
