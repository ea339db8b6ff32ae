"""How good reactions are: the field's metrics as published and put right, and further ones.

`Predictions` holds reactions beside what they are judged against; `evaluate` scores them. Every
place of perreactor that prints a metric calls `evaluate`. Neither torch nor ROS is needed.
"""
